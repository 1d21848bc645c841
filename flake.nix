{
  description = "mousetrap: the toolchain, pinned";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";

  outputs =
    { self, nixpkgs }:
    let
      # Every system that has both a Pants launcher and Pants wheels.
      systems = [
        "x86_64-linux"
        "aarch64-linux"
        "aarch64-darwin"
      ];
      forAllSystems = f: nixpkgs.lib.genAttrs systems (system: f nixpkgs.legacyPackages.${system});
    in
    {
      packages = forAllSystems (pkgs: rec {
        pants = pkgs.callPackage ./nix/pants.nix { };
        default = pants;
      });

      devShells = forAllSystems (pkgs: {
        default = pkgs.mkShell {
          name = "mousetrap";
          packages = [
            self.packages.${pkgs.stdenv.hostPlatform.system}.pants
            # ./pants builds Pex with it; the launcher brings the Python of Pants 2.17.
            pkgs.python311
            pkgs.python313
            pkgs.uv
            pkgs.docker-client
            pkgs.docker-buildx
            pkgs.docker-compose
            pkgs.postgresql_17
            pkgs.valkey
            pkgs.hadolint
            pkgs.shellcheck
            pkgs.git
          ];
          env = {
            UV_PYTHON = "${pkgs.python313}/bin/python3.13";
            UV_PYTHON_DOWNLOADS = "never";
          };
        };
      });

      formatter = forAllSystems (pkgs: pkgs.nixfmt-tree);

      checks = forAllSystems (pkgs: {
        shell = self.devShells.${pkgs.stdenv.hostPlatform.system}.default;

        # The launcher is a scie, which can inspect itself without fetching Pants.
        pants = pkgs.runCommand "pants-launcher" { } ''
          HOME=$TMPDIR SCIE=inspect ${self.packages.${pkgs.stdenv.hostPlatform.system}.pants.scie}/bin/pants >$out
        '';

        files =
          pkgs.runCommand "mousetrap-files" { nativeBuildInputs = [ pkgs.hadolint pkgs.shellcheck ]; }
            ''
              find ${self} -name 'Dockerfile' -exec hadolint {} +
              grep -rlZE '^#!.*\b(ba)?sh$' ${self} | xargs -0 shellcheck
              touch $out
            '';
      });
    };
}
