import hashlib
import re

import httpx2
import pytest
import yaml

from mousetrap.api.http import etags
from mousetrap.api.routes.docs import ASSETS

SWAGGER_UI = ASSETS / "swagger-ui"


async def test_the_page_needs_nothing_from_elsewhere(client: httpx2.AsyncClient) -> None:
    page = await client.get("/docs")

    links = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert len(links) >= 4
    for link in links:
        assert link.startswith("docs/")
        assert (await client.get(f"/{link}")).status_code == 200


async def test_the_browser_is_told_to_ask_nobody_else(client: httpx2.AsyncClient) -> None:
    policy = (await client.get("/docs")).headers.get_list("content-security-policy")

    assert len(policy) == 1
    assert "default-src 'none'" in policy[0]
    assert "unsafe" not in policy[0]
    assert not re.search(r"https?:|\*", policy[0])


async def test_the_page_has_no_script_of_its_own(client: httpx2.AsyncClient) -> None:
    page = (await client.get("/docs")).text

    assert "<style" not in page
    assert set(re.findall(r"<script[^>]*>([^<]*)</script>", page)) == {""}


def test_nothing_but_the_document_is_asked_for() -> None:
    script = (ASSETS / "docs.js").read_text()

    assert "http" not in script
    assert 'const API = new URL("../../", document.currentScript.src)' in script
    assert 'url: new URL("docs/openapi.json", API)' in script
    assert "validatorUrl: null" in script


def test_swagger_ui_is_what_was_published() -> None:
    sums = dict(line.split()[::-1] for line in (SWAGGER_UI / "SHA256SUMS").read_text().splitlines())

    assert sums == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in SWAGGER_UI.iterdir()
        if path.name not in {"SHA256SUMS", "README.md"}
    }
    assert {"LICENSE", "NOTICE", "swagger-ui-bundle.js", "swagger-ui.css"} <= sums.keys()


def test_swagger_ui_is_of_the_version_that_is_noted() -> None:
    [version] = re.findall(
        r"^Version: (\S+)$", (SWAGGER_UI / "README.md").read_text(), re.MULTILINE
    )

    assert f'"{version}"' in (SWAGGER_UI / "swagger-ui-bundle.js").read_text("utf-8")


@pytest.mark.parametrize(
    "path",
    [
        "../app.py",
        "%2e%2e/app.py",
        "..%2fapp.py",
        "swagger-ui/nope.js",
        "swagger-ui/README.md",
        "swagger-ui/SHA256SUMS",
        "dashboard/README.md",
        "dashboard/index.html",
        "",
        "swagger-ui",
        "swagger-ui/",
    ],
)
async def test_nothing_else_is_served(client: httpx2.AsyncClient, path: str) -> None:
    answer = await client.get(f"/docs/assets/{path}")

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


async def test_files_may_be_kept_for_a_while(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/docs/assets/swagger-ui/swagger-ui.css")

    assert answer.headers["content-type"].startswith("text/css")
    assert "max-age" in answer.headers["cache-control"]
    assert answer.headers["etag"] == etags.tag((SWAGGER_UI / "swagger-ui.css").read_bytes())


async def test_a_cached_file_is_not_sent_again(client: httpx2.AsyncClient) -> None:
    path = "/docs/assets/swagger-ui/swagger-ui.css"
    first = await client.get(path)
    again = await client.get(path, headers={"If-None-Match": first.headers["etag"]})

    assert (again.status_code, again.content) == (304, b"")
    assert first.headers["vary"] == again.headers["vary"] == "Accept-Encoding"


@pytest.mark.parametrize(("accepted", "encoding"), [("gzip", "gzip"), ("identity", None)])
async def test_files_are_compressed_for_who_accepts_it(
    client: httpx2.AsyncClient, accepted: str, encoding: str | None
) -> None:
    answer = await client.get(
        "/docs/assets/swagger-ui/swagger-ui-bundle.js", headers={"Accept-Encoding": accepted}
    )

    assert answer.headers.get("content-encoding") == encoding
    assert answer.headers["vary"] == "Accept-Encoding"
    assert answer.content == (SWAGGER_UI / "swagger-ui-bundle.js").read_bytes()


async def test_an_image_is_not_compressed_again(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/docs/assets/swagger-ui/favicon-32x32.png")

    assert answer.headers["content-type"] == "image/png"
    assert "content-encoding" not in answer.headers


async def test_the_document_is_where_programs_look_for_it(client: httpx2.AsyncClient) -> None:
    beside = await client.get("/docs/openapi.json")
    in_json, in_yaml = await client.get("/openapi.json"), await client.get("/openapi.yaml")

    assert in_json.content == beside.content
    assert in_json.headers["content-type"] == beside.headers["content-type"]
    assert in_yaml.headers["content-type"] == "application/yaml"
    assert yaml.safe_load(in_yaml.text) == in_json.json()
