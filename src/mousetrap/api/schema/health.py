"""Liveness and readiness."""

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

CHECKS: Final = ("postgres", "redis", "backlog", "notices", "summaries")


class Alive(Struct, frozen=True):
    """The process runs."""

    status: Literal["ok"] = "ok"


class Ready(Struct, frozen=True, kw_only=True):
    """The process is ready to serve requests."""

    status: Literal["ready"] = "ready"
    checks: Annotated[
        dict[str, str],
        Meta(
            description="`ok` by dependency, and by loop of the process: `backlog` counts queued"
            " jobs, `notices` listens to Postgres, `summaries` keeps the newest summaries",
            examples=[dict.fromkeys(CHECKS, "ok")],
        ),
    ]
