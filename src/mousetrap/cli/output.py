"""Writes results to standard output, and remarks and progress to standard error."""

import os
import re
import sys
from types import TracebackType
from typing import Final, Literal, Self

import msgspec
from rich.console import Console, RenderableType

from mousetrap.cli.errors import UnreadError
from mousetrap.sources.text import tidy

WIDTH: Final = 4000
"""The columns of a line that is not for a terminal: wide enough that nothing is cut."""
PADDING: Final = re.compile(r" +((\x1b\[[\d;]*m)*)$", re.MULTILINE)
MAX_LINE: Final = 2000


class Output:
    """Results for people, or as JSON, a document a line.

    Colours only on terminals, and not with NO_COLOR.
    """

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self._results = _console(stderr=False, width=None if sys.stdout.isatty() else WIDTH)
        self._remarks = _console(stderr=True)

    def document(self, body: bytes | msgspec.Raw) -> None:
        """Write JSON on one line."""
        self._write(msgspec.json.format(bytes(body), indent=-1).decode() + "\n")

    def show(self, result: RenderableType) -> None:
        """Write a table or text for people."""
        with self._results.capture() as captured:
            self._results.print(result)
        self._write(PADDING.sub(r"\1", captured.get()))

    def remark(self, text: str) -> None:
        """Write a line to standard error."""
        self._remarks.print(tidy(text, MAX_LINE), soft_wrap=True)

    def progress(self, text: str) -> "Progress":
        """Return a context manager that shows a changing state; `text` is the first."""
        return Progress(self._remarks, text)

    def _write(self, text: str) -> None:
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
        except BrokenPipeError:
            raise UnreadError from None


class Progress:
    """One line that changes on a terminal; elsewhere a line for each change."""

    def __init__(self, console: Console, text: str) -> None:
        self._console = console
        self._text = ""
        self._status = console.status("") if console.is_interactive else None
        self._first = text

    def __enter__(self) -> Self:
        if self._status:
            self._status.start()
        self.show(self._first)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._status:
            self._status.stop()
            self._console.print(self._text, soft_wrap=True)

    def show(self, text: str) -> None:
        """Show a new state; repeated ones are skipped."""
        if text == self._text:
            return
        self._text = text
        if self._status:
            self._status.update(text)
        else:
            self._console.print(text, soft_wrap=True)


def _console(*, stderr: bool, width: int | None = None) -> Console:
    # With NO_COLOR, Rich itself omits colours but keeps bold text.
    colours: Literal["auto"] | None = None if os.environ.get("NO_COLOR") else "auto"
    return Console(
        stderr=stderr,
        width=width,
        color_system=colours,
        markup=False,
        emoji=False,
        highlight=False,
    )
