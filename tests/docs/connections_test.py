"""docs/operations/connections.md: its tables have exactly the parameters that the code knows."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from mousetrap.settings.addresses import POSTGRES, REDIS, REDIS_TLS, SENTINEL, Parameter
from mousetrap.store.errors import NoPrimaryError, PoolerError, StandbyError, StoreUnavailableError

PAGE = Path("docs/operations/connections.md").read_text("utf-8")


def rows(heading: str) -> dict[str, tuple[str, str]]:
    """Return values and effect of each parameter in the table below a heading."""
    [section] = re.findall(rf"^## {heading}$(.*?)^## ", PAGE, re.MULTILINE | re.DOTALL)
    found = {}
    for line in re.findall(r"^\| (`.*) \|$", section, re.MULTILINE):
        names, values, effect = line.split(" | ")
        for name in re.findall(r"`(\w+)`", names):
            assert name not in found
            found[name] = values, effect
    return found


@pytest.mark.parametrize(
    ("heading", "known"),
    [
        ("Parameters of Postgres", POSTGRES),
        ("Parameters of Redis", {**REDIS, **REDIS_TLS, **SENTINEL}),
    ],
)
def test_parameters_are_those_of_the_code(heading: str, known: Mapping[str, Parameter]) -> None:
    listed = rows(heading)

    assert listed.keys() == known.keys()
    for name, parameter in known.items():
        values, effect = listed[name]
        assert tuple(re.findall(r"`([^`]+)`", values)) == parameter.values, name
        assert ("a file" in values) is parameter.file, name
        assert effect.startswith("ignored: ") is parameter.ignored, name


@pytest.mark.parametrize("error", [NoPrimaryError(), PoolerError(), StandbyError()])
def test_reasons_are_those_that_are_told(error: StoreUnavailableError) -> None:
    told = f"{type(error).__name__}: {error}".removesuffix(".")

    assert told in " ".join(PAGE.split())
