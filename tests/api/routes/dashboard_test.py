import hashlib
import re

import httpx2
import pytest

from mousetrap.api.routes.dashboard import ASSETS, BUNDLES, LIBRARIES

FILES = sorted(
    path.name for path in ASSETS.iterdir() if path.suffix != ".md" and path.name != "index.html"
)


async def test_page_needs_nothing_from_elsewhere(client: httpx2.AsyncClient) -> None:
    page = await client.get("/dashboard")

    links = re.findall(r'(?:src|href)="(dashboard/[^"]+)"', page.text)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "://" not in page.text
    assert len(links) > 10
    for link in links:
        assert (await client.get(f"/{link}")).status_code == 200


FIRST_VIEW = 250_000
"""The most bytes that the page and what it loads at once may have, compressed."""


async def test_first_view_is_light(client: httpx2.AsyncClient) -> None:
    page = await client.get("/dashboard")
    modules = [f"dashboard/{path.name}" for path in ASSETS.glob("*.js")]
    links = set(re.findall(r'(?:src|href)="(dashboard/[^"]+)"', page.text)).union(modules)
    sizes = {}
    for link in ("dashboard", *links):
        answer = await client.get(f"/{link}", headers={"Accept-Encoding": "gzip"})
        sizes[link] = int(answer.headers["content-length"])

    assert "dashboard/map/libraries.js" in sizes
    assert sum(sizes.values()) <= FIRST_VIEW, sizes


def test_libraries_are_what_was_published() -> None:
    sums = dict(line.split()[::-1] for line in (LIBRARIES / "SHA256SUMS").read_text().splitlines())

    assert sums == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in LIBRARIES.iterdir()
        if path.name not in {"SHA256SUMS", "README.md"}
    }


def test_libraries_have_licences_and_are_of_the_versions_that_are_noted() -> None:
    table = (LIBRARIES / "README.md").read_text()
    versions = dict(re.findall(r"^\| ([a-z0-9-]+) \| (\d[\d.]+) \|$", table, re.MULTILINE))
    scripts = {path.name.partition(".")[0]: path for path in LIBRARIES.glob("*.js")}

    assert set(versions) == {*scripts, "world-atlas"}
    for name, version in versions.items():
        assert (LIBRARIES / f"{name}.LICENSE.txt").stat().st_size
        if name in scripts:
            assert f" v{version} " in scripts[name].read_text("utf-8").splitlines()[0]


async def test_libraries_are_one_script(client: httpx2.AsyncClient) -> None:
    script = (await client.get("/dashboard/map/libraries.js")).text

    assert {*BUNDLES["libraries.js"]} == {path.name for path in LIBRARIES.glob("*.js")}
    assert script.count("https://d3js.org/") == len(BUNDLES["libraries.js"]) - 1
    assert (await client.get("/dashboard/map/d3-geo.min.js")).status_code == 404


async def test_notes_about_libraries_are_not_served(client: httpx2.AsyncClient) -> None:
    for name in ("README.md", "SHA256SUMS", "d3-geo.LICENSE.txt", "nope.js"):
        assert (await client.get(f"/dashboard/map/{name}")).status_code == 404


async def test_browser_is_told_to_run_nothing_else(client: httpx2.AsyncClient) -> None:
    for path in ("", *(f"/{name}" for name in FILES)):
        policy = (await client.get(f"/dashboard{path}")).headers.get_list("content-security-policy")

        assert len(policy) == 1
        assert "default-src 'none'" in policy[0]
        assert "unsafe" not in policy[0]
        assert not re.search(r"https?:|\*|data:", policy[0])


@pytest.mark.parametrize("name", ["index.html", "sign-in.html"])
def test_page_has_no_script_and_no_style_of_its_own(name: str) -> None:
    page = (ASSETS / name).read_text()

    assert set(re.findall(r"<script[^>]*>([^<]*)</script>", page)) == {""}
    assert not re.search(r"<style|\sstyle=|\son\w+=", page)


def test_no_script_makes_markup_of_text() -> None:
    for script in ASSETS.glob("*.js"):
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval", script.read_text()
        )


def test_all_modules_are_loaded_at_once() -> None:
    preloaded = re.findall(
        r'(?:modulepreload" href|module" src)="dashboard/(\w+\.js)"',
        (ASSETS / "index.html").read_text(),
    )

    others = {"sign-in.js"}  # of another page
    assert {*preloaded} == {path.name for path in ASSETS.glob("*.js")} - others


@pytest.mark.parametrize("name", FILES)
async def test_unchanged_file_is_not_sent_again(client: httpx2.AsyncClient, name: str) -> None:
    first = await client.get(f"/dashboard/{name}")
    again = await client.get(f"/dashboard/{name}", headers={"If-None-Match": first.headers["etag"]})
    other = await client.get(f"/dashboard/{name}", headers={"If-None-Match": '"another"'})

    assert first.headers["cache-control"] == "no-cache"
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert other.content == first.content == (ASSETS / name).read_bytes()


@pytest.mark.parametrize(
    "path", ["README.md", "nope.js", "../docs.html", "..%2fdocs.html", "a/b.js"]
)
async def test_nothing_else_is_served(client: httpx2.AsyncClient, path: str) -> None:
    answer = await client.get(f"/dashboard/{path}")

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
