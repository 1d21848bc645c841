"""Splits CSV into records as its bytes arrive (RFC 4180)."""

import codecs
import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from mousetrap.sources.errors import MalformedError, TruncatedError, WrongCharsetError

BLOCK: Final = 32 * 1024
"""Bytes that are collected before they are read: a record that is cut is read again."""

MAX_RECORD: Final = 256 * 1024
"""The maximum number of characters of a record; those of a field are bounded by `csv`."""

DELIMITERS: Final = (",", ";", "\t", "|")
UTF_8: Final = "utf-8"
UTF_16_MARKS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class _CutError(Exception):
    """The lines end within a record, or with it."""


class Block(NamedTuple):
    """Records that follow each other, and the number of the first line of each.

    A blank line is a record without fields.
    """

    lines: Sequence[int]
    records: list[list[str]]


class Records:
    """Yields records in blocks, and keeps what is cut for later.

    Lines end with CRLF, LF or CR. Without a `delimiter`, it is the one of DELIMITERS that divides
    the first record into most fields.
    """

    def __init__(self, *, encoding: str, delimiter: str | None) -> None:
        self._encoding = encoding
        name = "utf-8-sig" if encoding == UTF_8 else encoding
        self._decoder = codecs.getincrementaldecoder(name)()
        self._delimiter = delimiter
        self._bytes = bytearray()
        self._rest = ""
        self._line = 1

    def read(self, piece: bytes, *, last: bool = False) -> Iterator[Block]:
        """Yield the records that are complete, those before an error as well.

        Raises WrongCharsetError, MalformedError and TruncatedError.
        """
        for start in range(0, len(piece), BLOCK):
            self._bytes += piece[start : start + BLOCK]
            if len(self._bytes) >= BLOCK:
                yield from self._complete(last=False)
        if last:
            yield from self._complete(last=True)

    def _complete(self, *, last: bool) -> Iterator[Block]:
        text = self._rest + self._decoded(last=last)
        lines = list(io.StringIO(text, newline=""))
        # A line that ends with CR may go on with LF.
        cut = "" if last or not lines or lines[-1].endswith("\n") else lines.pop()
        self._delimiter = self._delimiter or self._find_delimiter(lines, last=last)
        if self._delimiter is None:
            self._keep(lines, cut)
            return
        begin = self._line
        # `csv` reads quoted fields, and refuses large ones.
        plain = '"' not in text and max(map(len, lines), default=0) <= csv.field_size_limit()
        yield from (self._split if plain else self._parse)(lines, self._delimiter)
        rest = lines[self._line - begin :]
        if last and rest:
            raise TruncatedError(
                "the answer ends within the quoted field of the record that begins at line"
                f" {self._line}: try again, or correct the feed"
            )
        self._keep(rest, cut)

    def _split(self, lines: list[str], delimiter: str) -> Iterator[Block]:
        begin, self._line = self._line, self._line + len(lines)
        bare = (line.rstrip("\r\n") for line in lines)
        records = [line.split(delimiter) if line else [] for line in bare]
        yield Block(range(begin, self._line), records)

    def _parse(self, lines: list[str], delimiter: str) -> Iterator[Block]:
        line = begin = self._line
        firsts: list[int] = []
        records: list[list[str]] = []
        # Strict, since a stray quotation mark would join the lines up to the next one.
        reader = csv.reader(_until_cut(lines), delimiter=delimiter, strict=True)
        failure: csv.Error | None = None
        try:
            for record in reader:
                firsts.append(line)
                records.append(record)
                line = begin + reader.line_num
        except _CutError:
            pass
        except csv.Error as error:
            failure = error
        self._line = line
        yield Block(firsts, records)
        if failure is not None:
            raise MalformedError(
                f"the answer is not CSV: the record that begins at line {line}:"
                f" {failure}: correct the feed, or set delimiter; a quotation mark may be missing"
            ) from failure

    def _decoded(self, *, last: bool) -> str:
        block, self._bytes = self._bytes, bytearray()
        if self._encoding == UTF_8 and block.startswith(UTF_16_MARKS) and self._line == 1:
            raise WrongCharsetError('the answer is in UTF-16: set encoding = "utf-16"')
        try:
            return self._decoder.decode(block, last)
        except UnicodeError as error:
            raise WrongCharsetError(
                f"the answer is not in {self._encoding.upper()} after line {self._line}"
                f" ({getattr(error, 'reason', 'wrong byte order')}): set encoding, such as"
                ' "windows-1252"'
            ) from error

    def _keep(self, lines: Iterable[str], cut: str) -> None:
        self._rest = "".join(lines) + cut
        if len(self._rest) > MAX_RECORD:
            raise MalformedError(
                f"the record that begins at line {self._line} has more than {MAX_RECORD}"
                " characters: correct the feed; a quotation mark may be missing"
            )

    def _find_delimiter(self, lines: list[str], *, last: bool) -> str | None:
        """Return None when the first record is not complete."""
        first = next((index for index, line in enumerate(lines) if line.strip()), len(lines))
        if first == len(lines):
            return DELIMITERS[0] if last else None
        widths: dict[str, int] = {}
        for delimiter in DELIMITERS:
            reader = csv.reader(_until_cut(lines[first:]), delimiter=delimiter, strict=True)
            try:
                widths[delimiter] = len(next(reader))
            except csv.Error:
                widths[delimiter] = 0
            except _CutError:
                if not last:
                    return None
        most = max(widths.values(), default=0)
        found = [delimiter for delimiter, width in widths.items() if width == most]
        if most > 1 and len(found) == 1:
            return found[0]
        raise MalformedError(
            f"line {self._line + first}: no one of , ; tab | divides the titles of the columns:"
            " check that the answer is CSV with a header, or set delimiter",
            excerpt=lines[first],
        )


def _until_cut(lines: Iterable[str]) -> Iterator[str]:
    yield from lines
    raise _CutError
