"""Structured logs on standard output, one line an event, those of libraries included.

What a task is `about` (a job's id, above all) is on every line that is logged within. The id of a
job's trace is the job's: see `telemetry.traces`.
"""

import json
import logging
import sys
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final, Literal
from uuid import UUID

import msgspec
import structlog
from structlog.typing import EventDict, Processor

Logger = structlog.typing.FilteringBoundLogger

# structlog has a variable for each fact, and looks for them among all others at each line, which
# takes a quarter of the line's time.
_FACTS: Final = ContextVar[Mapping[str, Any]]("facts", default=MappingProxyType({}))

_ENCODER: Final = msgspec.json.Encoder(enc_hook=str)
# For what msgspec refuses: half a surrogate pair, a number of more than 64 bits.
_ESCAPING: Final = json.JSONEncoder(default=str)


def logger(name: str) -> Logger:
    """Return the logger of a module."""
    found: Logger = structlog.get_logger(name)
    return found


def about(**facts: Any) -> None:
    """Say `facts` on each line from here on in this task, and in tasks that inherit its context."""
    _FACTS.set({**_FACTS.get(), **facts})


def only_about(**facts: Any) -> None:
    """Say `facts` from here on in this task, and nothing of what was said before."""
    _FACTS.set(facts)


def facts() -> Mapping[str, Any]:
    """Return what the lines of this task say as well."""
    return _FACTS.get()


def merge_facts(_: object, __: str, event: EventDict) -> EventDict:
    """Put what the task is about on a line, in the way of structlog's processors."""
    return {**_FACTS.get(), **event}


def trace_id(job_id: object) -> str:
    """Return the id of a job's trace, as a line has it."""
    return job_id.hex if isinstance(job_id, UUID) else str(job_id).replace("-", "")


def _render(source: object, method: str, event: EventDict) -> str:
    if "exc_info" in event:
        event = structlog.processors.format_exc_info(source, method, event)
    try:
        return _ENCODER.encode(event).decode()
    except (OverflowError, TypeError, ValueError):
        return _ESCAPING.encode(event)


class _Output:
    """Standard output, as structlog's loggers write to it.

    Past the records and handlers of `logging`, which take four times as long as all the rest.
    """

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def write(self, line: str) -> None:
        try:
            # In one piece, for threads write as well.
            sys.stdout.buffer.write(line.encode(errors="backslashreplace") + b"\n")
            sys.stdout.buffer.flush()
        except OSError:
            pass  # work goes on, even if nobody can read about it

    debug = info = warning = error = critical = write


def configure(
    service: str, *, form: Literal["json", "console"] = "json", level: str = "info"
) -> None:
    """Send all logs of this process to standard output; every line names the `service`.

    To be called once, before anything is logged: from then on a logger keeps its level.
    """

    def complete(source: Any, method: str, event: EventDict) -> EventDict:
        # One function, for six processors take a fifth of the line's time.
        event = merge_facts(source, method, event)
        job_id = event.get("job_id")
        if job_id is not None:
            event.setdefault("trace_id", trace_id(job_id))
        event.setdefault("service", service)
        event["level"] = method
        event["logger"] = event["_record"].name if "_record" in event else source.name
        # isoformat(), and with it structlog's own stamp, takes five times as long.
        event["timestamp"] = msgspec.to_builtins(datetime.now(UTC))
        return event

    last: list[Processor] = (
        [_render]
        if form == "json"
        # The default formatter prints local variables, and with them what must stay secret.
        else [
            structlog.dev.ConsoleRenderer(
                colors=False, exception_formatter=structlog.dev.plain_traceback
            )
        ]
    )
    structlog.configure(
        processors=[complete, *last],
        logger_factory=_Output,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), complete],
        )
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    # Its debug lines hold whole URLs, and a URL may hold a key.
    logging.getLogger("httpcore2").setLevel(logging.INFO)
