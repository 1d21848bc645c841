"""All attacks."""

from typing import Final

from attack import (
    authentication,
    cross_site,
    feeds,
    floods,
    framing,
    idempotency,
    parameters,
    paths,
    poison,
    roles,
    sizes,
    slowness,
)
from attack.case import Attack, Kind

MODULES: Final = {
    Kind.FRAMING: framing,
    Kind.SIZES: sizes,
    Kind.PARAMETERS: parameters,
    Kind.PATHS: paths,
    Kind.CROSS_SITE: cross_site,
    Kind.AUTHENTICATION: authentication,
    Kind.IDEMPOTENCY: idempotency,
    Kind.SLOWNESS: slowness,
    Kind.FLOODS: floods,
    Kind.FEEDS: feeds,
    Kind.POISON: poison,
    Kind.ROLES: roles,
}


def attacks(kind: Kind | None = None) -> list[Attack]:
    """Return the attacks of a kind, or of all kinds."""
    chosen = MODULES if kind is None else {kind: MODULES[kind]}
    return [attack for module in chosen.values() for attack in module.attacks()]
