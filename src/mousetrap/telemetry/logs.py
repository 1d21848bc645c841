"""Structured logs on standard output, one line an event, those of libraries included.

What is bound with `structlog.contextvars.bind_contextvars` (a job's id, above all) is on every
line that is logged within. The id of a job's trace is the job's: see `telemetry.traces`.
"""

import logging
import logging.config
from typing import Literal

import structlog
from structlog.typing import EventDict, Processor

Logger = structlog.stdlib.BoundLogger


def logger(name: str) -> Logger:
    """Return the logger of a module."""
    found: Logger = structlog.stdlib.get_logger(name)
    return found


def _name_trace(_: object, __: str, event: EventDict) -> EventDict:
    if event.get("job_id") is not None:
        event.setdefault("trace_id", str(event["job_id"]).replace("-", ""))
    return event


def configure(
    service: str, *, form: Literal["json", "console"] = "json", level: str = "info"
) -> None:
    """Send all logs of this process to standard output; every line names the `service`."""

    def name_service(_: object, __: str, event: EventDict) -> EventDict:
        event.setdefault("service", service)
        return event

    shared: list[Processor] = [
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.contextvars.merge_contextvars,
        _name_trace,
        name_service,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    last: list[Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str)]
        if form == "json"
        # The default formatter prints local variables, and with them what must stay secret.
        else [
            structlog.dev.ConsoleRenderer(
                colors=False, exception_formatter=structlog.dev.plain_traceback
            )
        ]
    )
    structlog.configure(
        # First, so that a line below the level costs next to nothing.
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "line": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "processors": [
                        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                        *last,
                    ],
                    "foreign_pre_chain": shared,
                }
            },
            "handlers": {
                "stdout": {
                    "class": "logging.StreamHandler",
                    "stream": "ext://sys.stdout",
                    "formatter": "line",
                }
            },
            # Its debug lines hold whole URLs, and a URL may hold a key.
            "loggers": {"httpcore": {"level": "INFO"}},
            "root": {"handlers": ["stdout"], "level": level.upper()},
        }
    )
