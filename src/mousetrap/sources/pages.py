"""Follows a feed from page to page, and never takes a part for the whole."""

import re
from typing import Final

import httpx2

from mousetrap.geo.batch import Batch
from mousetrap.settings.source_kinds import HttpSettings
from mousetrap.sources.errors import IncompleteError
from mousetrap.sources.http.download import Answer
from mousetrap.sources.http.links import next_link
from mousetrap.sources.http.urls import authority, page_target, parameter, with_parameter
from mousetrap.sources.packed import PackedBatch
from mousetrap.sources.parser import Page

ARCGIS: Final = "resultOffset"
WFS: Final = "startIndex"
OFFSETS: Final = {"arcgis": ARCGIS, "wfs": WFS}
"""The parameter that counts the features before a page, by the setting that asks for it."""

STARTS: Final = (ARCGIS, WFS, "offset")
"""The parameters by which the url of a source itself may leave out the first features."""

_ARCGIS_QUERY: Final = re.compile(r"/(feature|map)server/\d+/query/?\Z", re.IGNORECASE)


class Pages:
    """The pages of one fetch, in their order.

    Without a setting, the next page is that of a link: the `Link` header (RFC 8288), then the one
    in the body. An answer that says that it is a part and has no link is continued by a count where
    its URL shows a server that knows one: a query of an ArcGIS layer, or GetFeature of WFS. Any
    other part, and one at `max_pages`, is an IncompleteError.
    """

    def __init__(self, settings: HttpSettings, url: httpx2.URL) -> None:
        self._mode = settings.paging
        self._max_pages = settings.max_pages
        self._start = _number(parameter(url, *STARTS))
        self._seen = {str(url)}
        self._ends: list[int] = []
        self._features = 0
        self._told = False
        self._counting = False
        self.truncated = False

    @property
    def count(self) -> int:
        """Return how many pages were read."""
        return len(self._ends)

    def follow(self, answer: Answer, page: Page, *, points: int) -> httpx2.URL | None:
        """Return the URL of the page after this one, or None when it is the last.

        `points` are those of all pages so far. Raises IncompleteError and BadUrlError.
        """
        self._ends.append(points)
        self._features += page.features
        self._told = self._told or page.partial
        if self._mode == "first":
            link = next_link(answer.headers) or page.next
            self.truncated = link is not None or self._is_part(page)
            return None
        target = self._next(answer, page)
        if target is None:
            return None
        if str(target) in self._seen:
            raise IncompleteError(
                f"page {self.count} of {authority(target)} leads to a page that was read already:"
                " tell the operator of the server, or set `paging` of this source"
            )
        if self.count >= self._max_pages:
            raise IncompleteError(
                f"the feed has more pages than max_pages, which is {self._max_pages}: raise"
                f" max_pages of this source, ask for larger pages in its url, or set"
                ' `paging = "first"` if a part is enough'
            )
        self._seen.add(str(target))
        return target

    def check(self, batch: Batch | PackedBatch) -> None:
        """Raise IncompleteError when a server that should count gave the same page twice."""
        if not self._counting:
            return
        begin, before = 0, None
        for end in self._ends:
            page = batch.part(begin, end)
            if page and page == before:
                raise IncompleteError(
                    "the server gives the same page again and again, so the rest of the feed cannot"
                    ' be had: correct `paging` or the url of this source, or set `paging = "first"`'
                    " if a part is enough"
                )
            begin, before = end, page

    def _next(self, answer: Answer, page: Page) -> httpx2.URL | None:
        if self._mode in OFFSETS:
            return self._counted(answer.url, OFFSETS[self._mode], page)
        link = next_link(answer.headers) or page.next
        if link:
            return page_target(answer.url, link)
        if not self._is_part(page):
            return None
        offset = _offset(answer.url)
        if self._mode == "auto" and offset is not None and page.features:
            return self._following(answer.url, offset)
        raise IncompleteError(
            f"{authority(answer.url)} says that its answer is a part of the feed"
            f"{self._of(page)}, and does not say where the rest is: set `paging` of this source,"
            ' ask for all features in its url, or set `paging = "first"` if a part is enough'
        )

    def _counted(self, url: httpx2.URL, offset: str, page: Page) -> httpx2.URL | None:
        if not page.features:
            if self._is_part(page):
                raise IncompleteError(
                    f"page {self.count} is empty, but the feed goes on{self._of(page)}: correct"
                    " `paging` or the url of this source"
                )
            return None
        # A server that says when there is more need not be asked for an empty page at the end.
        if page.total is not None or self._told:
            return self._following(url, offset) if self._is_part(page) else None
        return self._following(url, offset)

    def _following(self, url: httpx2.URL, offset: str) -> httpx2.URL:
        self._counting = True
        return with_parameter(url, offset, str(self._start + self._features))

    def _is_part(self, page: Page) -> bool:
        if page.total is None:
            return page.partial
        return self._mode != "links" and self._start + self._features < page.total

    def _of(self, page: Page) -> str:
        return "" if page.total is None else f" ({self._features} of {page.total} features)"


def _offset(url: httpx2.URL) -> str | None:
    """Return the parameter that the server at `url` counts with, where its URL shows that."""
    if _ARCGIS_QUERY.search(url.path):
        return ARCGIS
    service, request = parameter(url, "service") or "", parameter(url, "request") or ""
    if request.lower() == "getfeature" and service.lower() in {"wfs", ""}:
        return WFS
    return None


def _number(text: str | None) -> int:
    return int(text) if text and re.fullmatch(r"[0-9]{1,9}", text) else 0
