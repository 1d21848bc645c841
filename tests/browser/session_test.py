"""An API that asks for tokens, and a person who has one."""

import contextlib
import hashlib
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import expect

from browser.axe import findings_everywhere
from browser.conftest import Pages
from mousetrap.stack import ports
from mousetrap.stack.servers import Servers
from support import nginx
from support.processes import PYTHON_PATH, printed

TOKENS = {"maps": "read", "ops": "read,refresh,operate", "prometheus": "metrics"}
DEADLINE = 30.0


# In a process of its own, because the browser has the event loop of this one.
PREPARE = """
import asyncio, sys, asyncpg
from mousetrap.store.schema.migrations import migrate

async def prepare(server, name, dsn):
    connection = await asyncpg.connect(server)
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
    await migrate(dsn)

asyncio.run(prepare(*sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def dsn(servers: Servers) -> str:
    """A database with our schema."""
    name = f"guarded_{uuid.uuid4().hex}"
    printed(PREPARE, servers.postgres_dsn, name, servers.database(name))
    return servers.database(name)


@pytest.fixture
def guarded(dsn: str, redis_url: str, tmp_path: Path) -> Iterator[str]:
    """The URL of an API whose tokens are the names of their callers."""
    (tmp_path / "sources.toml").write_text('default = "demo"\n[sources.demo]\nkind = "faker"\n')
    lines = [f"{it} {TOKENS[it]} {hashlib.sha256(it.encode()).hexdigest()}" for it in TOKENS]
    (tmp_path / "tokens").write_text("\n".join(lines))
    [port] = ports.free(1)
    settings = {
        "POSTGRES_DSN": dsn,
        "REDIS_URL": redis_url,
        "SOURCES_FILE": str(tmp_path / "sources.toml"),
        "API_TOKENS_FILE": str(tmp_path / "tokens"),
        "PORT": str(port),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "mousetrap.api"],
        env={"PYTHONPATH": PYTHON_PATH} | {f"MOUSETRAP_{k}": it for k, it in settings.items()},
        stdout=subprocess.DEVNULL,
    )
    try:
        url = f"http://127.0.0.1:{port}"
        ready(url)
        yield url
    finally:
        process.kill()
        process.wait(DEADLINE)


def ready(url: str) -> None:
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        with contextlib.suppress(httpx2.TransportError):
            if httpx2.get(f"{url}/health/ready", trust_env=False).is_success:
                return
        time.sleep(0.05)
    pytest.fail("the API is not ready")


def test_a_person_signs_in_works_and_signs_out(pages: Pages, guarded: str) -> None:
    page = pages.open("?source=demo", base=guarded)
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert findings_everywhere(page) == []

    for token, refusal in (("nonsense", "unknown"), ("prometheus", "'read'"), ("né", "characters")):
        page.get_by_label("Token").fill(token)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_contain_text(refusal)
    page.get_by_label("Token").fill("ops")
    page.get_by_role("button", name="Sign in").click()

    expect(page.locator("#connection")).to_have_text("Live")
    expect(page.locator("#caller")).to_have_text("ops")
    expect(page).to_have_url(f"{guarded}/dashboard?source=demo")
    [cookie] = page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    assert page.evaluate("document.cookie") == ""
    card = page.locator('[data-source="demo"]')
    expect(card).to_contain_text("no summary yet: Refresh requests one")
    expect(page.locator("#no-jobs")).to_have_text("No job yet: Refresh of a source requests one.")
    expect(page.locator("#letters-words")).to_have_text(re.compile("^None"))
    assert findings_everywhere(page) == []
    page.get_by_role("button", name="Refresh").first.click()
    expect(page.locator("#job-rows tr")).to_have_count(1)
    expect(card).to_contain_text("no summary yet: it is on its way")
    page.get_by_role("button", name=re.compile("^Details")).click()
    expect(page.get_by_role("dialog").get_by_role("link")).to_have_text("This job in the API")
    page.keyboard.press("Escape")

    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert page.context.cookies() == []


@nginx.NEEDED
def test_a_person_does_the_same_below_a_path(pages: Pages, guarded: str, tmp_path: Path) -> None:
    port = int(guarded.rpartition(":")[2])
    with nginx.before(port, tmp_path / "nginx", removed=True) as url:
        page = pages.open("/?source=demo", base=url)
        page.get_by_label("Token").fill("ops")
        page.get_by_role("button", name="Sign in").click()

        expect(page.locator("#connection")).to_have_text("Live")
        expect(page).to_have_url(f"{url}/dashboard?source=demo")
        page.get_by_role("button", name="Refresh").first.click()
        expect(page.locator("#job-rows tr").first).to_contain_text("demo")

        page.get_by_role("link", name="API docs").click()
        expect(page).to_have_url(f"{url}/docs")
        expect(page.get_by_text("Request a fresh summary")).to_be_visible()


def test_a_token_that_may_only_read_is_told_so(pages: Pages, guarded: str) -> None:
    page = pages.open(base=guarded)
    page.get_by_label("Token").fill("maps")
    page.get_by_role("button", name="Sign in").click()

    page.get_by_role("button", name="Refresh").first.click()

    expect(page.locator("#notices")).to_contain_text("lacks the scope 'refresh'")


def test_docs_have_a_place_for_the_token(pages: Pages, guarded: str) -> None:
    page = pages.open(base=guarded)
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.goto(f"{guarded}/docs")

    page.get_by_role("button", name="Authorize").first.click()
    page.locator(".auth-container input").fill("maps")
    page.locator(".auth-btn-wrapper").get_by_role("button", name="Apply credentials").click()
    expect(page.locator(".auth-container")).to_contain_text("Authorized")


def test_dead_letters_are_for_who_may_read_them(pages: Pages, guarded: str) -> None:
    page = pages.open(base=guarded)
    for token, shown in (("maps", False), ("ops", True)):
        page.get_by_label("Token").fill(token)
        with page.expect_response(re.compile(r"/dead-letters\?")):
            page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", name="Dead letters")).to_be_visible(visible=shown)
        page.get_by_role("button", name="Sign out").click()
