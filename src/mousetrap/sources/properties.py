"""Chosen members of the `properties` of a feature, found by their paths."""

import re
from collections.abc import Sequence
from math import isfinite
from typing import Any, Final

import msgspec
from msgspec import Raw

from mousetrap.geo.point import MAX_NAME
from mousetrap.sources.text import tidy

ABSENT: Final = Raw(b"null")
MAX_DIGITS: Final = 40
MAX_LISTED: Final = 6
MAX_LISTED_NAME: Final = 30
MAX_LISTED_BYTES: Final = 64 * 1024

_NUMBER: Final = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
# float() takes more than these, such as infinity, underscores and digits of other scripts.
_DIGITS: Final = re.compile(r"[-+.0-9eE ]*")
_STRING: Final = msgspec.json.Decoder(str)
_MEMBERS: Final = msgspec.json.Decoder(dict[str, Raw])


class Properties:
    """Reads the members at `paths`, in their order; ABSENT stands for one that is not there.

    A path is the name of a member, or the names of members within each other, joined by dots, such
    as `address.city`. A member whose own name has the dots comes first. Properties that are no
    object have no members.

    Only the members at the paths are decoded. Otherwise a crafted feature could take a hundred
    times its size in memory.
    """

    def __init__(self, *paths: str, known: "dict[str, Properties] | None" = None) -> None:
        known = {} if known is None else known  # shared, since there are many ways to the same rest
        heads = dict.fromkeys(head for path in paths for head, _ in _splits(path))
        fields = {head: f"member_{number}" for number, head in enumerate(heads)}
        struct = msgspec.defstruct(
            "Members",
            [
                (field, Raw, msgspec.field(name=head, default=ABSENT))
                for head, field in fields.items()
            ],
            gc=False,
        )
        self.members = struct
        """The type of objects for `pick`, which may be decoded in a list."""

        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(struct | None)
        self._absent = (ABSENT,) * len(paths)
        # Names without dots, the common case, have but one way.
        self._plain = [] if any("." in path for path in paths) else [fields[it] for it in paths]
        self._ways = [
            [(fields[head], _within(rest, known)) for head, rest in _splits(path)] for path in paths
        ]

    def read(self, properties: Raw) -> Sequence[Raw]:
        """Return the members of one feature."""
        try:
            members = self._decoder.decode(properties)
        except msgspec.DecodeError:
            members = None
        if members is None:
            return self._absent
        return self.pick(members)

    def pick(self, members: object) -> Sequence[Raw]:
        """Return the members at the paths of an object of the type `members`."""
        if self._plain:
            return [getattr(members, field) for field in self._plain]
        return [_find(members, ways) for ways in self._ways]


def _splits(path: str) -> list[tuple[str, str]]:
    """Return each way to cut a path into a head and a rest, the longest head first."""
    names = path.split(".")
    counts = range(len(names), 0, -1)
    return [(".".join(names[:count]), ".".join(names[count:])) for count in counts]


def _within(rest: str, known: dict[str, Properties]) -> Properties | None:
    if not rest:
        return None
    if rest not in known:
        known[rest] = Properties(rest, known=known)
    return known[rest]


def _find(members: object, ways: Sequence[tuple[str, Properties | None]]) -> Raw:
    for field, within in ways:
        member: Raw = getattr(members, field)
        if member is not ABSENT:
            return member if within is None else within.read(member)[0]
    return ABSENT


def text(value: Raw) -> str | None:
    """Return a string, or a number as written; None for an empty or any other value.

    At most MAX_NAME characters. Raises UnicodeDecodeError when it is not in UTF-8.
    """
    raw = bytes(value)
    if raw.startswith(b'"'):
        found = _STRING.decode(raw)
        if 0 < len(found) <= MAX_NAME and found.isprintable() and found[0] != " " != found[-1]:
            return found  # the common case is tidy already
        found = tidy(found, MAX_NAME)
        return None if not found or found.isspace() else found
    return raw[:MAX_NAME].decode("ascii") if raw[:1] in b"-0123456789" else None


def label(value: Raw) -> str | None:
    """Return a text as `text` does, and `true` or `false` as well."""
    raw = bytes(value)
    return raw.decode("ascii") if raw in (b"true", b"false") else text(value)


def number(value: Raw) -> float | None:
    """Return a finite number, which may be written in a string; None for any other value."""
    raw = bytes(value)
    if raw.startswith(b'"'):
        return plain_number(raw[1:-1].decode("ascii", "replace"))
    if raw[:1] not in b"-0123456789" or not raw:
        return None
    found = float(raw)
    return found if isfinite(found) else None


def plain_number(text: str) -> float | None:
    """Return the finite number that a text is; None for any other text."""
    if len(text) > MAX_DIGITS or not _NUMBER.fullmatch(text):
        return None
    found = float(text)
    return found if isfinite(found) else None


def plain_numbers(texts: Sequence[str]) -> tuple[float, ...] | None:
    """Return the finite numbers that texts are; None unless each plainly is one."""
    if max(map(len, texts), default=0) > MAX_DIGITS or not _DIGITS.fullmatch("".join(texts)):
        return None
    try:
        found = tuple(map(float, texts))
    except ValueError:
        return None
    return found if isfinite(sum(found)) else None


def names(properties: Raw) -> list[str]:
    """Return the names of the first few members, harmless and short, to choose from."""
    raw = bytes(properties)
    if len(raw) > MAX_LISTED_BYTES:
        return []
    try:
        members = _MEMBERS.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return []
    found = (tidy(name, MAX_LISTED_NAME) for name in members)
    return [name for name in found if name][:MAX_LISTED]
