"""Whether the process lives and can do its work."""

from typing import Annotated, Literal

from msgspec import Meta, Struct


class Alive(Struct, frozen=True):
    """The process runs."""

    status: Literal["ok"] = "ok"


class Ready(Struct, frozen=True, kw_only=True):
    """The process can do its work."""

    status: Literal["ready"] = "ready"
    checks: Annotated[
        dict[str, str],
        Meta(description="every dependency", examples=[{"postgres": "ok", "redis": "ok"}]),
    ]
