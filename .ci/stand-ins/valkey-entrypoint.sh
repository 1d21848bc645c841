#!/bin/sh
# The official image's contract: options or a .conf file alone mean valkey-server; started as root it
# hands /data over and drops to the valkey user; protected mode is off.
set -e
case "${1:-}" in -* | *.conf) set -- valkey-server "$@" ;; esac
if [ "$1" = valkey-server ]; then
    case " $* " in *" --protected-mode "*) ;; *) set -- "$@" --protected-mode no ;; esac
    if [ "$(id -u)" = 0 ]; then
        find . \! -user valkey -exec chown valkey '{}' +
        exec setpriv --reuid=valkey --regid=valkey --init-groups -- "$@"
    fi
fi
exec "$@"
