"""The commands that show what the API answers: summaries, jobs, dead letters, sources."""

import difflib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import msgspec
from rich.console import RenderableType

from mousetrap.cli import lists, tables
from mousetrap.cli.client import Client, Query
from mousetrap.cli.errors import CommandError, MissingSummaryError, UnknownSourceError
from mousetrap.cli.options import Options
from mousetrap.cli.output import Output
from mousetrap.cli.schema import Job, Letter, Page, Source, Summary

COMPLETION_DEADLINE: Final = 1.0
PAGE: Final = 100
# A dead letter contains up to 64 KiB of its message.
PAGE_OF_LETTERS: Final = 20


async def newest(options: Options, source: str | None) -> None:
    """Show the newest summary."""
    output = Output(as_json=options.json)
    async with Client.of(options) as client, nearest_source(client, source):
        body = await client.get("/", {"source": source})
        found = client.decode(body, dict[str, object])
        if options.json:
            output.document(body)
        elif found:
            output.show(tables.summary(client.decode(body, Summary)))
        if not found:
            command = "mousetrap refresh" if source is None else f"mousetrap refresh {source}"
            raise MissingSummaryError(f"there is no summary yet: `{command}` requests one")


async def summary(options: Options, job_id: str) -> None:
    """Show the summary of a job."""
    output = Output(as_json=options.json)
    async with Client.of(options) as client:
        body = await client.get(f"/summaries/{job_id}")
        found = client.decode(body, Summary)
    _show(output, [body], tables.summary(found))


async def summaries(options: Options, query: Query, limit: int | None) -> None:
    """Show the newest summaries, at most `limit` of them."""
    output = Output(as_json=options.json)
    first = True
    async with Client.of(options) as client, nearest_source(client, query["source"]):
        async for items in _pages(client, "/summaries", query, limit, PAGE):
            found = [client.decode(item, Summary) for item in items]
            _show(output, items, lists.summaries(found, header=first))
            first = False


async def job(options: Options, job_id: str) -> None:
    """Show one job."""
    output = Output(as_json=options.json)
    async with Client.of(options) as client:
        body = await client.get(f"/jobs/{job_id}")
        found = client.decode(body, Job)
    _show(output, [body], tables.job(found))


async def jobs(options: Options, query: Query, limit: int | None) -> None:
    """Show the newest jobs, at most `limit` of them."""
    output = Output(as_json=options.json)
    first = True
    async with Client.of(options) as client, nearest_source(client, query["source"]):
        async for items in _pages(client, "/jobs", query, limit, PAGE):
            found = [client.decode(item, Job) for item in items]
            _show(output, items, lists.jobs(found, header=first))
            first = False


async def dead_letters(options: Options, limit: int | None) -> None:
    """Show the newest dead letters, at most `limit` of them."""
    output = Output(as_json=options.json)
    first = True
    async with Client.of(options) as client:
        async for items in _pages(client, "/dead-letters", {}, limit, PAGE_OF_LETTERS):
            found = [client.decode(item, Letter) for item in items]
            _show(output, items, lists.letters(found, header=first))
            first = False


async def sources(options: Options) -> None:
    """Show the sources that the API knows."""
    output = Output(as_json=options.json)
    async with Client.of(options) as client:
        items = client.decode(await client.get("/sources"), Page).items
        found = [client.decode(item, Source) for item in items]
    _show(output, items, lists.sources(found))


@asynccontextmanager
async def nearest_source(client: Client, name: str | int | None) -> AsyncIterator[None]:
    """Name the nearest source in the UnknownSourceError that the API's refusal of `name` raises."""
    try:
        yield
    except UnknownSourceError as refusal:
        try:
            names = await _names(client)
        except CommandError:  # a token may refresh and not read
            raise refusal from None
        close = difflib.get_close_matches(str(name), names, n=1)
        if not close:
            raise
        raise UnknownSourceError(
            f"Unknown source: there is no source {str(name)!r}: did you mean {close[0]}?"
        ) from None


async def source_names(options: Options) -> list[str]:
    """Return the names of the sources for completion; none when the API is slow or away."""
    try:
        async with Client.of(options, COMPLETION_DEADLINE) as client:
            return await _names(client)
    except CommandError:
        return []


async def _names(client: Client) -> list[str]:
    items = client.decode(await client.get("/sources"), Page).items
    return [client.decode(item, Source).name for item in items]


def _show(output: Output, items: Sequence[bytes | msgspec.Raw], table: RenderableType) -> None:
    if output.as_json:
        for item in items:
            output.document(item)
    else:
        output.show(table)


async def _pages(
    client: Client, path: str, query: Query, limit: int | None, size: int
) -> AsyncIterator[list[msgspec.Raw]]:
    """Yield the pages of a list, up to `limit` entries."""
    cursor: str | None = None
    while limit is None or limit > 0:
        wanted = size if limit is None else min(limit, size)
        body = await client.get(path, {**query, "limit": wanted, "cursor": cursor})
        page = client.decode(body, Page)
        yield page.items
        cursor = page.next
        if cursor is None:
            return
        limit = None if limit is None else limit - len(page.items)
