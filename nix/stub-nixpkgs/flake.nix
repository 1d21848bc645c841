{
  description = "The parts of nixpkgs that the project's flake needs, to evaluate it without nixpkgs";

  outputs =
    { self }:
    let
      lib = rec {
        genAttrs = names: f: builtins.listToAttrs (map (name: { inherit name; value = f name; }) names);
        optional = cond: x: if cond then [ x ] else [ ];
        optionals = cond: xs: if cond then xs else [ ];
        optionalString = cond: s: if cond then s else "";
        makeBinPath = ps: builtins.concatStringsSep ":" (map (p: "${p}/bin") ps);
        makeLibraryPath = ps: builtins.concatStringsSep ":" (map (p: "${p}/lib") ps);
        getExe = p: "${p}/bin/${p.meta.mainProgram or p.pname or p.name}";
        licenses = genAttrs [ "asl20" "mit" "bsd3" ] (shortName: { inherit shortName; });
        sourceTypes = genAttrs [ "binaryNativeCode" "fromSource" ] (shortName: { inherit shortName; });
        platforms = {
          linux = [ "x86_64-linux" "aarch64-linux" ];
          darwin = [ "aarch64-darwin" ];
        };
      };

      pkgsFor =
        system:
        let
          # A derivation that is never built, with the attributes that nixpkgs gives it.
          mkDrv =
            attrs:
            let
              drv = derivation (
                builtins.removeAttrs attrs [ "meta" "passthru" "env" "packages" ]
                // {
                  name = attrs.name or "${attrs.pname}-${attrs.version}";
                  inherit system;
                  builder = "/bin/sh";
                  args = [ "-c" "exit 1" ];
                }
                // (attrs.env or { })
                // (if attrs ? packages then { nativeBuildInputs = attrs.packages; } else { })
              );
            in
            drv
            // (attrs.passthru or { })
            // {
              meta = attrs.meta or { };
              overrideAttrs = f: mkDrv (attrs // f attrs);
              override = _: mkDrv attrs;
            };
          leaf = name: mkDrv { inherit name; } // { lib = mkDrv { name = "${name}-lib"; }; };

          # Every package that the flake may name; other names fail the evaluation.
          leaves = lib.genAttrs [
            "bash" "cacert" "coreutils" "docker-buildx" "docker-client" "docker-compose" "git" "hadolint"
            "nixfmt-tree" "postgresql_17" "python311" "python313" "shellcheck" "uv" "valkey" "zlib"
          ] leaf;

          pkgs = leaves // {
            inherit lib system;
            stdenv = {
              hostPlatform = {
                inherit system;
                isLinux = builtins.match ".*-linux" system != null;
                isDarwin = builtins.match ".*-darwin" system != null;
              };
              cc = leaf "cc" // { cc = leaf "gcc"; };
              mkDerivation = mkDrv;
            };
            mkShell = attrs: mkDrv ({ name = "nix-shell"; } // attrs);
            fetchurl =
              { url, hash }:
              assert builtins.match "sha256-[A-Za-z0-9+/]{43}=" hash != null;
              mkDrv {
                name = baseNameOf url;
                outputHash = hash;
                outputHashAlgo = "sha256";
                outputHashMode = "flat";
              };
            buildFHSEnv =
              { name, targetPkgs, runScript, ... }:
              mkDrv { inherit name runScript; buildInputs = targetPkgs pkgs; };
            writeShellApplication =
              { name, text, runtimeInputs ? [ ], meta ? { } }:
              mkDrv { inherit name text runtimeInputs meta; };
            runCommand = name: attrs: buildCommand: mkDrv (attrs // { inherit name buildCommand; });
            callPackage =
              f: args:
              let
                fn = if builtins.isFunction f then f else import f;
              in
              fn (builtins.intersectAttrs (builtins.functionArgs fn) pkgs // args);
          };
        in
        pkgs;
    in
    {
      inherit lib;
      legacyPackages = lib.genAttrs [ "x86_64-linux" "aarch64-linux" "x86_64-darwin" "aarch64-darwin" ] pkgsFor;
    };
}
