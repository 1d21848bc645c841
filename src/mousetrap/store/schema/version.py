"""The version of the schema that this code needs."""

from typing import Final

APP: Final = "mousetrap"

# The ids of all files in `piccolo_migrations`, in their order.
MIGRATIONS: Final = (
    "2026-11-23T12:00:00:000000",
    "2026-11-25T08:00:00:000000",
    "2026-11-25T14:00:00:000000",
    "2026-11-29T20:00:00:000000",
    "2026-11-29T21:00:00:000000",
    "2026-11-30T01:00:00:000000",
    "2026-11-30T02:00:00:000000",
    "2026-11-30T03:00:00:000000",
    "2026-11-30T09:00:00:000000",
)
