"""deploy/secrets.sh."""

import hashlib
import re
import shutil
import ssl
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from deploy.files import DEPLOY, read
from mousetrap.api.http.authentication import Caller, Tokens
from mousetrap.api.http.scopes import Scope


@pytest.fixture
def deploy(tmp_path: Path) -> Path:
    (tmp_path / "valkey").mkdir()
    for name in ("secrets.sh", "production.yaml", "valkey/users.acl"):
        shutil.copy(DEPLOY / name, tmp_path / name)
    return tmp_path


def make(deploy: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(deploy / "secrets.sh")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_makes_just_the_secrets_that_are_asked_for(deploy: Path) -> None:
    assert make(deploy).returncode == 0

    made = {path.name for path in (deploy / "secrets").iterdir()}
    files = ("production.yaml", "observability.yaml")
    for_people = {"operator_token"}
    assert made == for_people.union(*(read(name)["secrets"] for name in files))


def test_others_cannot_enter_and_containers_can_read(deploy: Path) -> None:
    make(deploy)

    assert (deploy / "secrets").stat().st_mode & 0o777 == 0o700
    for path in (deploy / "secrets").iterdir():
        assert path.stat().st_mode & 0o777 == 0o644


def test_addresses_carry_the_passwords_that_the_servers_know(deploy: Path) -> None:
    make(deploy)
    secrets = {path.name: path.read_text().strip() for path in (deploy / "secrets").iterdir()}

    for role in ("owner", "api", "process"):
        dsn = urlsplit(secrets[f"{role}_postgres_dsn"])
        assert (dsn.username, dsn.hostname) == (f"mousetrap_{role}", "postgres")
        assert dsn.password == secrets[f"postgres_{role}_password"]
    for user in ("api", "fetch", "process"):
        url = urlsplit(secrets[f"{user}_redis_url"])
        assert (url.username, url.hostname) == (user, "valkey")
        assert url.password
        digest = hashlib.sha256(url.password.encode()).hexdigest()
        assert f"user {user} on resetpass #{digest} " in secrets["valkey_users"]
    passwords = [secret for name, secret in secrets.items() if name.endswith("_password")]
    assert len(set(passwords)) == len(passwords) == 7
    assert min(map(len, passwords)) == 32


def test_certificate_is_for_this_machine_and_fits_its_key(deploy: Path) -> None:
    make(deploy)

    context = ssl.create_default_context(cafile=deploy / "secrets/edge_certificate")
    context.load_cert_chain(deploy / "secrets/edge_certificate", deploy / "secrets/edge_key")

    [authority] = context.get_ca_certs()
    assert authority["subjectAltName"] == (("DNS", "localhost"), ("IP Address", "127.0.0.1"))


def test_api_knows_the_tokens_by_their_digests_only(deploy: Path) -> None:
    make(deploy)
    secrets = {path.name: path.read_text().strip() for path in (deploy / "secrets").iterdir()}

    tokens = Tokens(deploy / "secrets/api_tokens")

    operator = tokens.find(secrets["operator_token"].encode())
    prometheus = tokens.find(secrets["prometheus_token"].encode())
    assert operator == Caller("operator", frozenset(Scope))
    assert prometheus == Caller("prometheus", frozenset({Scope.METRICS}))
    assert secrets["operator_token"] not in secrets["api_tokens"]
    assert len(secrets["operator_token"]) == 32


def test_tokens_can_be_put_into_a_header_as_they_are(deploy: Path) -> None:
    make(deploy)

    for name in ("operator_token", "prometheus_token"):
        assert re.fullmatch(r"[\w-]{32}", (deploy / "secrets" / name).read_text())


def secrets(deploy: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in (deploy / "secrets").iterdir()}


def test_nothing_is_changed_in_a_folder_that_has_all(deploy: Path) -> None:
    make(deploy)
    before = secrets(deploy)

    again = make(deploy)

    assert (again.returncode, again.stdout) == (0, "deploy/secrets has all secrets\n")
    assert secrets(deploy) == before


def test_tokens_are_added_to_the_secrets_of_a_version_without_them(deploy: Path) -> None:
    make(deploy)
    before = secrets(deploy)
    names = {"api_tokens", "operator_token", "prometheus_token"}
    for name in names:
        (deploy / "secrets" / name).unlink()

    assert make(deploy).returncode == 0

    after = secrets(deploy)
    token = after["operator_token"].strip()
    assert Tokens(deploy / "secrets/api_tokens").find(token.encode())
    assert after.keys() == before.keys()
    assert {name for name in after if after[name] != before[name]} == names


def test_the_secrets_of_a_further_stage_are_added(deploy: Path) -> None:
    make(deploy)
    (deploy / "secrets/operator_token").unlink()  # noted elsewhere
    (deploy / "secrets/follow_up_postgres_dsn").unlink(missing_ok=True)  # of a stage that is there
    before = secrets(deploy)
    production, users = deploy / "production.yaml", deploy / "valkey/users.acl"
    production.write_text(production.read_text() + "    file: ./secrets/follow_up_postgres_dsn\n")
    lines = users.read_text().replace(" +hello", "")  # a right that only earlier versions had
    users.write_text(lines + "user audit on resetpass #AUDIT_PASSWORD resetkeys +ping\n")

    made = make(deploy)

    after = secrets(deploy)
    dsn = urlsplit(after.pop("follow_up_postgres_dsn").strip())
    assert dsn.password == before["postgres_follow_up_password"].strip()
    password = urlsplit(after.pop("audit_redis_url").strip()).password
    rights = after.pop("valkey_users")
    digest = hashlib.sha256((password or "").encode()).hexdigest()
    assert rights == before.pop("valkey_users").replace(" +hello", "") + (
        f"user audit on resetpass #{digest} resetkeys +ping\n"
    )
    assert after == before
    assert made.stdout == (
        "added to deploy/secrets: follow_up_postgres_dsn audit_redis_url valkey_users\n"
    )


def test_what_was_changed_by_hand_is_kept(deploy: Path) -> None:
    make(deploy)
    users, password = deploy / "secrets/valkey_users", deploy / "secrets/postgres_api_password"
    changed = re.sub("(user api .*)#[0-9a-f]{64}", rf"\1#{'a' * 64}", users.read_text())
    changed += "user exporter on nopass resetkeys -@all +info\n"
    users.write_text(changed)
    known = password.read_text()
    password.unlink()

    assert make(deploy).returncode == 0

    assert users.read_text() == changed
    assert password.read_text() == known
