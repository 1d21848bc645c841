#!/bin/sh
# The official image's contract: bare options or a .conf file mean valkey-server; as root it gives /data
# to the valkey user and becomes that user; protected mode is off.
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
