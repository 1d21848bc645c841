#!/usr/bin/env bash
# Creates the secrets of deploy/production.yaml, swarm.yaml and observability.yaml in deploy/secrets/: a password for
# every role, the tokens of the API, the files that contain them, and a self-signed certificate for trials. To a folder
# that is there it adds what is missing, such as the secrets of a further stage, and changes no other file. In
# `valkey_users` it brings the rights up to date, and keeps the passwords.
set -euo pipefail
cd "$(dirname "$0")"

password() { head -c 24 /dev/urandom | base64 | tr '+/' '-_'; }
digest() { printf '%s' "$1" | (sha256sum 2>/dev/null || shasum -a 256) | cut -d' ' -f1; }

lacks() { [ ! -e "$folder/$1" ]; } # NAME
write() { # NAME CONTENT
    printf '%s' "$2" >"$folder/$1"
    added+=" $1"
}
add() { write "$1" "$2"$'\n'; } # NAME VALUE
inside() { sed -n 's|^[a-z]*://[^:/]*:\([^@]*\)@.*|\1|p' "$folder/$1"; } # NAME: the password in an address

postgres() { # ROLE
    if lacks "postgres_$1_password"; then
        if lacks "$1_postgres_dsn"; then secret=$(password); else secret=$(inside "$1_postgres_dsn"); fi
        add "postgres_$1_password" "$secret"
    fi
    # A role without an address in production.yaml is for people (admin) or for no stage yet (follow_up).
    if lacks "$1_postgres_dsn" && grep -q "secrets/$1_postgres_dsn" production.yaml; then
        add "$1_postgres_dsn" "postgresql://mousetrap_$1:$(cat "$folder/postgres_$1_password")@postgres/mousetrap"
    fi
}

valkey() {
    users=$(cat valkey/users.acl) there=
    if ! lacks valkey_users; then there=$(cat "$folder/valkey_users"); fi
    names=$(sed -n 's/^user \([a-z_]*\) .*_PASSWORD .*/\1/p' <<<"$users")
    for user in $names; do
        if lacks "${user}_redis_url"; then add "${user}_redis_url" "redis://$user:$(password)@valkey/0"; fi
        # Somebody may have changed it there first.
        known=$(sed -n "s/^user $user on resetpass #\([0-9a-f]*\) .*/\1/p" <<<"$there")
        placeholder=$(printf '#%s_PASSWORD' "$user" | tr '[:lower:]' '[:upper:]')
        users=${users//"$placeholder"/"#${known:-$(digest "$(inside "${user}_redis_url")")}"}
    done
    while read -r word name rest; do # users that an operator has added stay
        if [ -n "$word" ] && ! grep -q "^user $name " <<<"$users"; then users+=$'\n'"$word $name $rest"; fi
    done <<<"$there"
    if [ "$users" != "$there" ]; then add valkey_users "$users"; fi
}

tokens() { # without the list of them: whoever has noted a token may remove its file
    lines='# The tokens of the API, a line each: a name, scopes, and the SHA-256 of the token. See deploy/README.md.'
    for token in 'operator read,refresh,operate,metrics' 'prometheus metrics'; do
        # Not every reader drops a newline, which no header can contain: Prometheus' operator does not.
        if lacks "${token%% *}_token"; then write "${token%% *}_token" "$(password)"; fi
        lines+=$'\n'"$token $(digest "$(cat "$folder/${token%% *}_token")")"
    done
    add api_tokens "$lines"
}

certificate() { # for trials: nobody trusts it; replace both files by a certificate of an authority, and its key
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$folder/edge_key"
    chmod 644 "$folder/edge_key" # openssl keeps it from others
    openssl req -x509 -new -key "$folder/edge_key" -days 365 -subj /CN=localhost \
        -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -out "$folder/edge_certificate"
    added+=' edge_key edge_certificate'
}

umask 022
added=
if [ -e secrets ]; then
    folder=secrets
else
    # Other users of this machine cannot enter the folder. A container gets single files, which its user
    # must be able to read.
    folder=secrets.part
    rm -rf secrets.part # left by a run that was killed
    mkdir -m 700 secrets.part
    trap 'rm -rf secrets.part' EXIT
fi

for name in postgres_superuser_password grafana_admin_password; do
    if lacks "$name"; then add "$name" "$(password)"; fi
done
for role in owner api process follow_up admin; do postgres "$role"; done
valkey
if lacks api_tokens; then tokens; fi
if lacks edge_key && lacks edge_certificate; then certificate; fi

if [ "$folder" = secrets.part ]; then
    mv secrets.part secrets
    echo 'made deploy/secrets'
elif [ -n "$added" ]; then
    echo "added to deploy/secrets:$added"
else
    echo 'deploy/secrets has all secrets'
fi
