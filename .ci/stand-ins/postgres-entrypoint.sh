#!/bin/sh
# The parts of the official image's contract that the compose files depend on: POSTGRES_USER, _PASSWORD
# and _DB (each also as ..._FILE), PGDATA, /docker-entrypoint-initdb.d/*.{sh,sql}, and "postgres
# OPTION..." or bare options as the command. As docker-ensure-initdb.sh it ends where the server would start.
set -eu
file_env() {
    eval "value=\${$1:-} file=\${$1_FILE:-}"
    # shellcheck disable=SC2154 # eval sets them
    [ -n "$value" ] && [ -n "$file" ] && { echo "error: both $1 and $1_FILE are set" >&2; exit 1; }
    [ -n "$file" ] && value=$(cat "$file")
    eval "$1=\${value:-\$2}; export $1; unset $1_FILE"
}
initialise_only=false
case "$0" in */docker-ensure-initdb.sh) initialise_only=true ;; esac
case "${1:-}" in -*) set -- postgres "$@" ;; esac
if $initialise_only && [ $# = 0 ]; then set -- postgres; fi
[ "${1:-}" = postgres ] || exec "$@"

# Read as root: the server's user may not be able to read a secret's file.
file_env POSTGRES_PASSWORD ''
file_env POSTGRES_USER postgres
file_env POSTGRES_DB "$POSTGRES_USER"

if [ "$(id -u)" = 0 ]; then
    mkdir -p "$PGDATA" /var/run/postgresql
    chown -R postgres "$PGDATA" /var/run/postgresql
    exec setpriv --reuid=postgres --regid=postgres --init-groups -- "$0" "$@"
fi

if [ ! -s "$PGDATA/PG_VERSION" ]; then
    if [ -z "$POSTGRES_PASSWORD" ]; then
        echo 'Error: Database is uninitialized and superuser password is not specified.' >&2
        exit 1
    fi
    mkdir -p "$PGDATA"
    chmod 700 "$PGDATA"
    umask 077
    password=$(mktemp)
    printf '%s\n' "$POSTGRES_PASSWORD" >"$password"
    initdb --username="$POSTGRES_USER" --pwfile="$password" --auth-host=scram-sha-256 --auth-local=trust
    rm -f "$password"
    printf 'host all all all scram-sha-256\n' >>"$PGDATA/pg_hba.conf"
    sed -i "s/^#\?listen_addresses.*/listen_addresses = '*'/" "$PGDATA/postgresql.conf"
    pg_ctl -w -o "-c listen_addresses=''" start
    [ "$POSTGRES_DB" = postgres ] || createdb -U "$POSTGRES_USER" -- "$POSTGRES_DB"
    for script in /docker-entrypoint-initdb.d/*; do
        # shellcheck disable=SC1090 # they are the operator's
        case "$script" in
        *.sh) . "$script" ;;
        *.sql) psql -v ON_ERROR_STOP=1 --no-password --no-psqlrc -U "$POSTGRES_USER" -d "$POSTGRES_DB" -f "$script" ;;
        esac
    done
    pg_ctl -m fast -w stop
fi
if $initialise_only; then exit; fi
unset POSTGRES_PASSWORD
exec "$@"
