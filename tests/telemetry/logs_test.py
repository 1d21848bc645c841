"""Each test logs in a process of its own, because a process sets up its logs but once."""

import json
from typing import Any

import pytest

from support import processes

HEAD = """\
import asyncio, logging
from mousetrap.telemetry import logs
log = logs.logger("here")
"""


def printed(script: str) -> str:
    return processes.printed(HEAD + script)


def lines(script: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in printed(script).splitlines()]


def test_a_line_is_json_and_says_what_when_where_and_how_bad() -> None:
    [line] = lines('logs.configure("api"); log.warning("backlog of %d", 7, source="demo", n=1j)')

    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "backlog of 7",
        "level": "warning",
        "logger": "here",
        "n": "1j",
        "service": "api",
        "source": "demo",
    }


def test_a_logger_made_before_the_set_up_obeys_it() -> None:
    [line] = lines('log.bind(a=1); logs.configure("api"); log.info("b")')

    assert line["service"] == "api"


def test_the_job_is_on_every_line_that_is_logged_within_it() -> None:
    first, second, third = lines("""
logs.configure("fetch-worker")
async def work(job):
    logs.about(job_id=job)
    log.info("ours")
    await asyncio.to_thread(logging.getLogger("library").warning, "in %s", "a thread")
asyncio.run(work("7"))
log.info("after")
""")

    assert (first["event"], first["job_id"]) == ("ours", "7")
    assert (second["event"], second["job_id"]) == ("in a thread", "7")
    assert "job_id" not in third


def test_any_number_is_a_number() -> None:
    [line] = lines('logs.configure("api"); log.info("counted", n=2**70, m=-0.5)')

    assert (line["n"], line["m"]) == (2**70, -0.5)


def test_jobs_at_the_same_time_are_told_apart() -> None:
    found = lines("""
logs.configure("fetch-worker")
async def work(job, mine, other):
    logs.about(job_id=job)
    other.set()
    await mine.wait()
    log.info("of %s", job)
async def main():
    a, b = asyncio.Event(), asyncio.Event()
    await asyncio.gather(work("a", a, b), work("b", b, a))
asyncio.run(main())
""")

    assert {(line["event"], line["job_id"]) for line in found} == {("of a", "a"), ("of b", "b")}


def test_what_a_task_is_about_is_said_until_it_is_about_something_else_only() -> None:
    found = lines("""
logs.configure("api")
logs.about(request_id="1", job_id="a"); log.info("both")
logs.about(job_id="b", source="demo"); log.info("all", source="its own")
logs.only_about(request_id="2"); log.info("one")
""")

    facts = [(it.get("request_id"), it.get("job_id"), it.get("source")) for it in found]
    assert facts == [("1", "a", None), ("1", "b", "its own"), ("2", None, None)]


def test_lines_of_libraries_are_like_ours() -> None:
    [line] = lines("""
logs.configure("api")
logging.getLogger("library").error("bad %s", "thing", extra={"where": "there"})
""")

    assert line.pop("timestamp")
    assert line == {
        "event": "bad thing",
        "level": "error",
        "logger": "library",
        "service": "api",
        "where": "there",
    }


@pytest.mark.parametrize("logger", ["log", "logging.getLogger('library')"])
def test_an_exception_is_on_one_line(logger: str) -> None:
    [line] = lines(f"""
logs.configure("api")
try:
    1 / 0
except ZeroDivisionError:
    {logger}.exception("it failed")
""")

    assert line["event"] == "it failed"
    assert line["level"] == "error"
    assert line["exception"].startswith("Traceback ")
    assert line["exception"].endswith("ZeroDivisionError: division by zero")


def test_any_text_is_on_one_line() -> None:
    texts = ["two\nlines", "b\u00e9b\u00e9", "\ud800", "\x00"]

    found = lines(f'logs.configure("api")\nfor text in {texts!a}: log.info(text, value=text)')

    assert [line["event"] for line in found] == texts
    assert [line["value"] for line in found] == texts


def test_nobody_fails_because_a_line_cannot_be_written() -> None:
    assert lines("""
import os
logs.configure("api")
kept = os.dup(1)
os.close(1)
log.info("lost")
os.dup2(kept, 1)
log.info("told")
""")[-1]["event"] == "told"


@pytest.mark.parametrize(("level", "events"), [("debug", "abcde"), ("info", "bcde"), ("error", "")])
def test_the_level_is_for_all_loggers(level: str, events: str) -> None:
    found = lines(f"""
logs.configure("api", level="{level}")
log.debug("a"); log.info("b"); log.warning("c")
logging.getLogger("library").info("d"); logging.getLogger("library").warning("e")
""")

    assert "".join(line["event"] for line in found) == events


def test_whole_urls_are_not_logged_even_for_debugging() -> None:
    [line] = lines("""
from mousetrap.sources.errors import TooManyRedirectsError
from mousetrap.sources.http.download import Downloader
from support.downloads import get
from support.origin import answer, running
logs.configure("fetch-worker", level="debug")
logging.getLogger("asyncio").setLevel("INFO")
async def fetch():
    downloader = Downloader(max_connections=1)
    async with running() as origin:
        feed = origin.url("/feed?key=secret")
        origin.answers(answer(status=302, Location=feed), path="/feed?key=secret")
        try:
            await get(downloader, feed, max_redirects=1)
        except TooManyRedirectsError:
            log.info("asked", requests=len(origin.requests))
    await downloader.close()
asyncio.run(fetch())
""")

    assert (line["event"], line["requests"]) == ("asked", 2)


def test_the_collector_s_url_is_not_logged_even_for_debugging() -> None:
    assert lines("""
logs.configure("api", level="debug")
logging.getLogger("urllib3.connectionpool").debug("POST /key/v1/traces")
""") == []


def test_for_people_a_line_is_text() -> None:
    text = printed("""
logs.configure("api", form="console")
logs.about(job_id="7")
log.info("started", port=8000)
logging.getLogger("library").info("also")
""")

    first, second = text.splitlines()
    assert "started" in first
    assert "port=8000" in first
    assert "job_id=7" in first
    assert "also" in second
    assert "\x1b" not in text


def test_for_people_any_text_is_shown() -> None:
    text = printed("""
logs.configure("api", form="console")
log.info("half of a pair: \\ud800")
""")

    assert "half of a pair: \\ud800" in text


def test_for_people_an_exception_is_shown_without_the_values_of_variables() -> None:
    text = printed("""
logs.configure("api", form="console")
def connect(password):
    raise ZeroDivisionError("no way")
try:
    connect("hunter" + str(1 + 1))
except ZeroDivisionError:
    log.exception("it failed")
""")

    assert "ZeroDivisionError: no way" in text
    assert "hunter2" not in text
