"""The API below a path of its host: every path that it tells begins with it."""

from typing import Any
from urllib.parse import urljoin

import httpx2
import pytest

from api.conftest import CheckedApi, Workers
from mousetrap.api.http.root_path import RootPath, under
from mousetrap.settings import process
from mousetrap.settings.errors import SettingsError
from mousetrap.settings.process import ApiSettings

ROOT = "/geo"


@pytest.mark.parametrize("kept", ["", ROOT], ids=["removed by the proxy", "left by the proxy"])
async def test_paths_in_answers_begin_with_it(app: CheckedApi, workers: Workers, kept: str) -> None:
    job_id = await workers.succeed()
    await workers.succeed()
    async with app.serve(root_path=ROOT) as client:
        accepted = await client.post(f"{kept}/refresh")
        job = (await client.get(f"{kept}/jobs/{job_id}")).json()
        page = await client.get(f"{kept}/jobs?limit=1")
        newest = await client.get(f"{kept}/" if kept else "/")

    assert accepted.headers["location"] == f"{ROOT}/jobs/{accepted.json()['job_id']}"
    assert job["links"]["summary"] == f"{ROOT}/summaries/{job_id}"
    assert newest.json()["count"] == 2
    first, following = page.headers["link"].split(", ")
    assert first == f'<{ROOT}/jobs?limit=1>; rel="first"'
    assert following.startswith(f"<{ROOT}/jobs?limit=1&cursor=j")
    assert page.links["next"]["url"].startswith(f"{ROOT}/jobs?")


async def test_a_path_that_only_begins_alike_is_another(app: CheckedApi) -> None:
    async with app.serve(root_path=ROOT) as client:
        for path in ("/geography", "/geo.json", "/jobs/geo"):
            assert (await client.get(path)).status_code == 404
        assert (await client.get("/geo")).status_code == 200
        assert (await client.get("/geo/geo/jobs")).status_code == 404


async def test_the_document_names_it_as_the_server(app: CheckedApi) -> None:
    async with app.serve(root_path=ROOT) as client:
        document = (await client.get("/docs/openapi.json")).json()

    assert document["servers"] == [{"url": ROOT}]


@pytest.mark.parametrize(
    ("asked", "target"),
    [
        ("/dashboard/", "/dashboard"),
        ("/dashboard/?source=demo", "/dashboard?source=demo"),
        ("/dashboard/index.html", "/dashboard"),
        ("/docs/", "/docs"),
        ("/dashboard/style.css/", "/dashboard/style.css"),
    ],
)
@pytest.mark.parametrize("root", ["", ROOT])
async def test_pages_are_where_their_links_lead_from(
    client: httpx2.AsyncClient, root: str, asked: str, target: str
) -> None:
    answer = await client.get(asked)

    assert answer.status_code == 307
    assert urljoin(f"http://host{root}{asked}", answer.headers["location"]) == (
        f"http://host{root}{target}"
    )
    assert (await client.get(target)).status_code == 200


async def test_a_page_is_found_however_many_slashes_follow(client: httpx2.AsyncClient) -> None:
    # Python's urljoin leaves empty segments out, browsers do not.
    assert (await client.get("/dashboard///")).headers["location"] == "../../../dashboard"


async def test_only_paths_of_ours_are_changed() -> None:
    sent: list[Any] = []

    async def app(_: Any, __: Any, send: Any) -> None:
        for value in (b"/a?b=/c", b"../a", b"https://other.example/a", b""):
            headers = [(b"Location", value), (b"x-other", b"/a"), (b"link", b"</a>, </b>; c")]
            await send({"type": "http.response.start", "headers": headers})
            await send({"type": "http.response.body", "body": b"/a"})

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError

    await RootPath(app, ROOT)({"type": "http", "path": "/geo"}, receive, send)

    starts = [it["headers"] for it in sent if it["type"] == "http.response.start"]
    assert [it[0][1] for it in starts] == [
        *(b"/geo/a?b=/c", b"../a", b"https://other.example/a", b"")
    ]
    assert {it[1][1] for it in starts} == {b"/a"}
    assert {it[2][1] for it in starts} == {b"</geo/a>, </geo/b>; c"}
    assert {it["body"] for it in sent if "body" in it} == {b"/a"}


def test_nothing_is_in_the_way_without_it() -> None:
    async def app(_: Any, __: Any, ___: Any) -> None: ...

    assert under(app, "") is app


@pytest.mark.parametrize("root", ["", "/geo", "/a/b-c/d.e", "/~me/maps_2"])
def test_paths_are_taken(root: str) -> None:
    assert loaded(root).root_path == root


@pytest.mark.parametrize(
    "root", ["/", "geo", "/geo/", "//geo", "/geo//x", "/..", "/a/./b", "/g o", "/geo?x", "/ge%20o"]
)
def test_what_is_no_plain_path_is_refused(root: str) -> None:
    with pytest.raises(SettingsError, match="MOUSETRAP_ROOT_PATH: Wrong form; it is the path"):
        loaded(root)


def loaded(root: str) -> ApiSettings:
    return process.load(
        ApiSettings,
        {
            "MOUSETRAP_POSTGRES_DSN": "postgresql://app@db/app",
            "MOUSETRAP_REDIS_URL": "redis://queue/0",
            "MOUSETRAP_SOURCES_FILE": "/etc/sources.toml",
            "MOUSETRAP_ROOT_PATH": root,
        },
    )
