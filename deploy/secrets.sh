#!/usr/bin/env bash
# Creates the secrets of deploy/production.yaml, swarm.yaml and observability.yaml in deploy/secrets/: a password for
# every role, the tokens of the API, the files that contain them, and a self-signed certificate for trials. It changes no
# existing secrets: remove the folder first. To a folder of a version without tokens it adds them.
set -euo pipefail
cd "$(dirname "$0")"

folder=secrets.part
password() { head -c 24 /dev/urandom | base64 | tr '+/' '-_'; }
digest() { printf '%s' "$1" | (sha256sum 2>/dev/null || shasum -a 256) | cut -d' ' -f1; }
write() { printf '%s\n' "$2" >"$folder/$1"; } # NAME VALUE

tokens() {
    lines='# The tokens of the API, a line each: a name, scopes, and the SHA-256 of the token. See deploy/README.md.'
    for token in 'operator read,refresh,operate,metrics' 'prometheus metrics'; do
        secret=$(password)
        write "${token%% *}_token" "$secret"
        lines+=$'\n'"$token $(digest "$secret")"
    done
    write api_tokens "$lines"
}

certificate() { # for trials: nobody trusts it; replace both files by a certificate of an authority, and its key
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$folder/edge_key"
    chmod 644 "$folder/edge_key" # openssl keeps it from others
    openssl req -x509 -new -key "$folder/edge_key" -days 365 -subj /CN=localhost \
        -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -out "$folder/edge_certificate"
}

umask 022
if [ -e secrets ] && [ ! -e secrets/api_tokens ]; then
    folder=secrets
    if [ ! -e secrets/edge_key ]; then certificate; fi
    tokens
    echo 'added the tokens of the API to deploy/secrets'
    exit 0
fi
if [ -e secrets ]; then
    echo 'deploy/secrets is there already: remove it first if you mean to make new ones' >&2
    exit 1
fi
# Other users of this machine cannot enter the folder. A container gets single files, which its user
# must be able to read.
rm -rf secrets.part # left by a run that was killed
mkdir -m 700 secrets.part
trap 'rm -rf secrets.part' EXIT

write postgres_superuser_password "$(password)"
for role in owner api process follow_up admin; do
    secret=$(password)
    write "postgres_${role}_password" "$secret"
    # A role without an address here is for people (admin) or for no stage yet (follow_up).
    if grep -q "secrets/${role}_postgres_dsn" production.yaml; then
        write "${role}_postgres_dsn" "postgresql://mousetrap_$role:$secret@postgres/mousetrap"
    fi
done

users=$(cat valkey/users.acl)
names=$(sed -n 's/^user \([a-z_]*\) .*_PASSWORD .*/\1/p' <<<"$users")
for user in $names; do
    secret=$(password)
    write "${user}_redis_url" "redis://$user:$secret@valkey/0"
    placeholder=$(printf '#%s_PASSWORD' "$user" | tr '[:lower:]' '[:upper:]')
    users=${users//"$placeholder"/"#$(digest "$secret")"}
done
write valkey_users "$users"
write grafana_admin_password "$(password)"
tokens

certificate

mv secrets.part secrets
echo 'made deploy/secrets'
