"""Generates deploy/valkey/users.acl from the stages of the pipeline: `./pants docs`.

A user has only the rights that its process uses. It may run only the scripts of the queue, each on
all of its keys under one rule, in brackets, and no script of its own. Each command in a script also
needs a rule, which names the keys of one type only: a key of the wrong type would break every
process. No rule can forbid the arguments of a command, so XADD can trim; the reconciler sends again
what that has lost.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from mousetrap.queue import begun, circuits, scripts
from mousetrap.queue.scripts import Script
from mousetrap.queue.stages import FETCH, PROCESS, STAGES, Stage
from mousetrap.queue.streams import DEAD

FILE: Final = Path("deploy/valkey/users.acl")

NOBODY: Final = """\
user default off resetpass resetkeys resetchannels -@all
user health on nopass resetkeys resetchannels -@all +ping
"""
CONNECT: Final = "+client|setinfo +hello +ping +script|load"
CONSUME: Final = (
    "+exec +multi +xack +xclaim +xdel +xgroup|create"
    " +xgroup|delconsumer +xinfo|consumers +xpending +xreadgroup"
)
MEASURE: Final = "+time +xinfo|consumers +xlen +xpending +xrange"


def text() -> str:
    """Return the text of the file."""
    return NOBODY + "".join(f"{line}\n" for line in (_api(), *map(_worker, STAGES)))


def _runs(script: Script) -> str:
    """Return the rule of a script: a command may be allowed with its first argument only.

    Valkey and Redis warn at their start that this is meant for container commands only.
    """
    return f"+evalsha{'_ro' if script.readonly else ''}|{script.digest}"


def _api() -> str:
    readable = " ".join(f"%R~{stage.key}" for stage in STAGES)
    rules = (
        *_sends("api"),
        f"({readable} -@all {_runs(scripts.MEASURE)} {MEASURE})",
        f"(%R~{circuits.KEY} -@all {_runs(scripts.CIRCUITS)} +hget +hstrlen)",
        f"(%R~{begun.PREFIX}* -@all +exists)",
    )
    return f"{_user('api')} resetchannels -@all {CONNECT} {' '.join(rules)}"


def _worker(stage: Stage[Any]) -> str:
    runs = " ".join(map(_runs, (scripts.READ, scripts.DONE, scripts.EXTEND, scripts.FORGET)))
    return " ".join(
        (
            f"{_user(stage.name)} ~{stage.key} resetchannels -@all {CONNECT} {CONSUME} {runs}",
            *_sends(stage.name),
            *(_reconciles() if stage is PROCESS else ()),
            *_ends(stage),
            *_knows_sources(stage),
            *(_collects() if stage is PROCESS else (f"(%W~{DEAD} -@all +xadd)",)),
        )
    )


def _user(name: str) -> str:
    return f"user {name} on resetpass #{name.upper()}_PASSWORD resetkeys"


def _sends(user: str) -> Iterator[str]:
    to = [stage for stage in STAGES if user in stage.senders]
    if to:
        yield f"({_streams(to)} {_waiting(to)} -@all {_runs(scripts.SEND)})"
        yield f"({_streams(to)} -@all +xadd)"
        yield f"({_waiting(to)} -@all +zadd)"


def _reconciles() -> Iterator[str]:
    yield f"({_streams(STAGES)} {_waiting(STAGES)} -@all {_runs(scripts.LOOK)})"
    yield f"({_streams(STAGES)} -@all +xinfo|groups +xlen +xpending)"
    yield f"({_waiting(STAGES)} -@all +zremrangebyscore +zscore)"


def _collects() -> Iterator[str]:
    yield f"(~{DEAD} -@all {_runs(scripts.BURIED)} +xadd +xdel +xrange)"


def _streams(stages: Sequence[Stage[Any]]) -> str:
    return " ".join(f"~{stage.key}" for stage in stages)


def _waiting(stages: Sequence[Stage[Any]]) -> str:
    return " ".join(dict.fromkeys(f"~{stage.waiting}" for stage in stages))


def _knows_sources(stage: Stage[Any]) -> Iterator[str]:
    if stage is FETCH:
        runs = " ".join(map(_runs, (scripts.FAILED, scripts.PROBE, scripts.CIRCUITS)))
        yield f"(~{circuits.KEY} -@all {runs} +hdel +hget +hset +hstrlen +time)"
        yield f"(~{circuits.PACE}* -@all +pttl +set)"
        yield f"(~{begun.PREFIX}* -@all +set)"


def _ends(stage: Stage[Any]) -> Iterator[str]:
    if stage.last:
        yield f"(~{stage.key} ~{stage.waiting} -@all {_runs(scripts.DONE)})"
        yield f"(~{stage.waiting} -@all +zrem)"
