"""Structured logs on standard output, one line an event, including those of libraries.

A task binds facts with `about`, such as a job's id, and each of its lines has them. The trace id of
a job is the job's id: see `telemetry.traces`.
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
from structlog.processors import format_exc_info
from structlog.stdlib import ExtraAdder, ProcessorFormatter
from structlog.typing import EventDict, Processor

Logger = structlog.typing.FilteringBoundLogger

# Their debug lines contain whole URLs, and a URL may contain a key.
HTTP_CLIENTS: Final = ("httpcore2", "urllib3")

# structlog has a variable for each fact, and goes through all variables of the task at each line.
_FACTS: Final = ContextVar[Mapping[str, Any]]("facts", default=MappingProxyType({}))

_ENCODER: Final = msgspec.json.Encoder(enc_hook=str)


def logger(name: str) -> Logger:
    """Return the logger of a module."""
    found: Logger = structlog.get_logger(name)
    return found


def about(**facts: Any) -> None:
    """Bind `facts` to all further lines of this task and of tasks that inherit its context."""
    _FACTS.set({**_FACTS.get(), **facts})


def only_about(**facts: Any) -> None:
    """Bind `facts` to all further lines of this task, in place of earlier facts."""
    _FACTS.set(facts)


def facts() -> Mapping[str, Any]:
    """Return the facts that the lines of this task have."""
    return _FACTS.get()


def merge_facts(_: object, __: str, event: EventDict) -> EventDict:
    """Add the facts of this task to a line; a processor of structlog."""
    return {**_FACTS.get(), **event}


def trace_id(job_id: object) -> str:
    """Return the trace id of a job, as lines show it."""
    return job_id.hex if isinstance(job_id, UUID) else str(job_id).replace("-", "")


class _Output:
    """Standard output; a line that cannot be written is dropped.

    structlog's own also takes a lock for each line.
    """

    __slots__ = ("_flush", "_write", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self._write = sys.stdout.buffer.write
        self._flush = sys.stdout.buffer.flush

    def msg(self, line: str) -> None:
        try:
            # In one piece, because threads write too.
            self._write(line.encode(errors="backslashreplace") + b"\n")
            self._flush()
        except OSError:
            pass  # work goes on


def _filtering(level: str) -> type[Any]:
    """Return structlog's logger of a minimum level, with fewer steps between a call and a line."""
    base: Any = structlog.make_filtering_bound_logger(level)

    class Filtering(base):  # type: ignore[misc]  # structlog has one class for each level
        def _proxy_to_logger(self, method_name: str, event: str, **facts: Any) -> None:
            line: Any = {**self._context, **facts, "event": event}
            try:
                for process in self._processors:
                    line = process(self._logger, method_name, line)
            except structlog.DropEvent:
                return
            self._logger.msg(line)

    return Filtering


def configure(
    service: str, *, form: Literal["json", "console"] = "json", level: str = "info"
) -> None:
    """Send all logs of this process to standard output; every line names the `service`.

    Call it once, before the first line: loggers keep their level from then on.
    """

    def complete(source: Any, method: str, event: EventDict) -> EventDict:
        # One function: a chain of structlog's processors takes longer, and every line passes here.
        event = {"service": service, **_FACTS.get(), **event}
        job_id, record = event.get("job_id"), event.get("_record")
        if job_id is not None:
            event.setdefault("trace_id", trace_id(job_id))
        event["level"] = method
        event["logger"] = source.name if record is None else record.name
        event["timestamp"] = msgspec.to_builtins(datetime.now(UTC))
        return event

    render: Processor = (
        _json
        if form == "json"
        # The default formatter prints local variables, which may be secret.
        else structlog.dev.ConsoleRenderer(
            colors=False, exception_formatter=structlog.dev.plain_traceback
        )
    )
    structlog.configure(
        processors=[complete, render],
        logger_factory=_Output,
        wrapper_class=_filtering(level),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        ProcessorFormatter(
            processors=[ProcessorFormatter.remove_processors_meta, render],
            foreign_pre_chain=[ExtraAdder(), complete],
        )
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    for client in HTTP_CLIENTS:
        logging.getLogger(client).setLevel(logging.INFO)


def _json(source: object, method: str, event: EventDict) -> str:
    if "exc_info" in event:
        event = format_exc_info(source, method, event)
    try:
        return _ENCODER.encode(event).decode()
    except (OverflowError, TypeError, ValueError):
        # msgspec refuses lone surrogates and integers of more than 64 bits.
        return json.dumps(event, default=str)
