# scie-pants, the launcher, reads pants_version from pants.toml and runs that Pants.
{
  lib,
  stdenv,
  fetchurl,
  buildFHSEnv,
  writeShellApplication,
  cacert,
}:
let
  version = "0.13.2";

  builds = {
    x86_64-linux = {
      artifact = "linux-x86_64";
      hash = "sha256-dKHlO8UNbvbOG8Z72fe0jlSVBeCiRTrU1cy8crC+qHQ=";
    };
    aarch64-linux = {
      artifact = "linux-aarch64";
      hash = "sha256-tAtg5Q6ctp4TAp4QC+mV+/2zs3me8cz/YKgRd/eOa4I=";
    };
    aarch64-darwin = {
      artifact = "macos-aarch64";
      hash = "sha256-pvMjFBPKH3k8r/piEXGksaAVjnSIzQtbs+dCy5nMcqg=";
    };
  };
  build =
    builds.${stdenv.hostPlatform.system}
      or (throw "scie-pants ${version} has no build for ${stdenv.hostPlatform.system}");

  # A scie is an executable with an archive behind it: stripping or patching breaks it.
  scie = stdenv.mkDerivation {
    pname = "scie-pants";
    inherit version;
    src = fetchurl {
      url = "https://github.com/pantsbuild/scie-pants/releases/download/v${version}/scie-pants-${build.artifact}";
      inherit (build) hash;
    };
    dontUnpack = true;
    dontFixup = true;
    installPhase = ''
      install -D -m 0755 $src $out/bin/pants
    '';
  };

  # The Python that the launcher fetches, and wheels with compiled parts, need a dynamic loader at a
  # path where NixOS has none.
  fhs = buildFHSEnv {
    name = "pants-fhs";
    targetPkgs = pkgs: [
      pkgs.stdenv.cc.cc.lib
      pkgs.zlib
      pkgs.git
      pkgs.python313
      pkgs.docker-client
    ];
    runScript = "${scie}/bin/pants";
  };
in
(writeShellApplication {
  name = "pants";
  text = ''
    export SSL_CERT_FILE="''${SSL_CERT_FILE:-${cacert}/etc/ssl/certs/ca-bundle.crt}"
    ${lib.optionalString stdenv.hostPlatform.isLinux ''
      if [ -e /etc/NIXOS ] && [ -z "''${NIX_LD:-}" ]; then
        exec ${fhs}/bin/pants-fhs "$@"
      fi
    ''}
    exec ${scie}/bin/pants "$@"
  '';
  meta = {
    description = "Launcher of the Pants build system";
    homepage = "https://www.pantsbuild.org";
    license = lib.licenses.asl20;
    mainProgram = "pants";
    platforms = builtins.attrNames builds;
    sourceProvenance = [ lib.sourceTypes.binaryNativeCode ];
  };
}).overrideAttrs
  (old: {
    passthru = (old.passthru or { }) // {
      inherit scie;
    };
  })
