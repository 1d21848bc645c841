"""The members of a JSON answer that tell whether it is all there is."""

from typing import Final

import msgspec
from msgspec import Raw, Struct

from mousetrap.sources.parser import Page

NOTHING: Final = Raw(b"null")
MAX_LINKS: Final = 100
MAX_ADDRESS: Final = 2000


class _Link(Struct, gc=False):
    rel: Raw = NOTHING
    href: Raw = NOTHING
    url: Raw = NOTHING
    method: Raw = NOTHING


class _Links(Struct, gc=False):
    next: Raw = NOTHING


class _Pagination(Struct, gc=False):
    next: Raw = NOTHING
    total: Raw = NOTHING


class _Properties(Struct, gc=False):
    exceeded: Raw = msgspec.field(name="exceededTransferLimit", default=NOTHING)


class PageMembers(Struct):
    """The base of answers that may come in pages, whatever their features are called.

    They are those of OGC API Features and STAC (`links` with the relation `next`, `numberMatched`),
    WFS 2.0 (`numberMatched`, `totalFeatures`), ArcGIS (`exceededTransferLimit`, at the top in
    ESRI JSON and in `properties` in GeoJSON), Django REST framework (`count`, `next`), JSON:API
    (`links.next`), HAL (`_links.next`) and of servers that have `pagination`.
    """

    links: Raw = NOTHING
    hal: Raw = msgspec.field(name="_links", default=NOTHING)
    next: Raw = NOTHING
    pagination: Raw = NOTHING
    exceeded: Raw = msgspec.field(name="exceededTransferLimit", default=NOTHING)
    properties: Raw = NOTHING
    matched: Raw = msgspec.field(name="numberMatched", default=NOTHING)
    total: Raw = msgspec.field(name="totalFeatures", default=NOTHING)
    count: Raw = NOTHING

    def page(self, features: int) -> Page:
        """Return the page of an answer that holds as many features.

        A next page without an address that can be asked for, such as a token or a POST request,
        makes the answer partial. Members of another shape tell nothing.
        """
        pagination = _read(self.pagination, _Pagination)
        nexts = (
            *_links(self.links),
            *_links(self.hal),
            _address(self.next),
            _address(pagination.next),
        )
        address = next(filter(None, nexts), None)
        totals = map(_number, (self.matched, self.total, pagination.total, self.count))
        return Page(
            features,
            next=address,
            partial=self._exceeded() or (address is None and "" in nexts),
            total=next((total for total in totals if total is not None), None),
        )

    def _exceeded(self) -> bool:
        inner = _read(self.properties, _Properties).exceeded
        return any(bytes(flag) in (b"true", b'"true"') for flag in (self.exceeded, inner))


def _links(raw: Raw) -> list[str | None]:
    """Return the address of each link to a next page, as `_address` does."""
    if not bytes(raw).startswith(b"["):
        return [_address(_read(raw, _Links).next)]
    if bytes(raw).count(b"{") > MAX_LINKS:
        return [""] if b'"next"' in bytes(raw) else []
    try:
        links = msgspec.json.decode(raw, type=list[_Link])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return []
    return [_target(link) for link in links if bytes(link.rel) == b'"next"']


def _target(link: _Link) -> str | None:
    if bytes(link.method).upper() not in (b"NULL", b'"GET"'):
        return ""
    return _address(link.href) or _address(link.url)


def _address(raw: Raw) -> str | None:
    """Return an address; None where there is no next page, and "" for one without an address."""
    text = bytes(raw)
    if text in (b"null", b"false", b'""', b"{}", b"[]"):
        return None
    if text.startswith(b"{"):
        return _target(_read(raw, _Link)) or ""
    try:
        address = msgspec.json.decode(text, type=str)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    return address if 0 < len(address) <= MAX_ADDRESS and address.isprintable() else ""


def _number(raw: Raw) -> int | None:
    try:
        number = msgspec.json.decode(raw, type=int)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return number if number >= 0 else None


def _read[T: Struct](raw: Raw, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return kind()
