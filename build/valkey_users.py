"""Generates deploy/valkey/users.acl from the stages of the pipeline: `./pants docs`.

A user has only the rights that its process uses. A script needs one rule, in brackets, with all of
its keys; each command in the script also needs a rule, which may be another one.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from mousetrap.queue.stages import PROCESS, STAGES, Stage
from mousetrap.queue.streams import DEAD, WAITING

FILE: Final = Path("deploy/valkey/users.acl")

NOBODY: Final = """\
user default off resetpass resetkeys resetchannels -@all
user health on nopass resetkeys resetchannels -@all +ping
"""
CONSUME: Final = (
    "+client|setinfo +eval +exec +multi +ping +xack +xclaim +xdel +xgroup|create"
    " +xgroup|delconsumer +xinfo|consumers +xpending +xreadgroup"
)
SEND: Final = "+eval +xadd +zadd"
MEASURE: Final = "+eval_ro +time +xinfo|consumers +xlen +xpending +xrange"
RECONCILE: Final = "+eval +xadd +xinfo|groups +xlen +xpending +zadd +zremrangebyscore +zscore"


def text() -> str:
    """Return the text of the file."""
    return NOBODY + "".join(f"{line}\n" for line in (_api(), *map(_worker, STAGES)))


def _api() -> str:
    readable = " ".join(f"%R~{stage.key}" for stage in STAGES)
    rules = (*_sends("api"), f"({readable} -@all {MEASURE})")
    return f"{_user('api')} resetchannels -@all +client|setinfo +ping {' '.join(rules)}"


def _worker(stage: Stage[Any]) -> str:
    return " ".join(
        (
            f"{_user(stage.name)} ~{stage.key} resetchannels -@all {CONSUME}",
            *(_reconciles() if stage is PROCESS else _sends(stage.name)),
            *_ends(stage),
            (
                f"(~{DEAD} -@all +eval +xadd +xdel +xrange)"
                if stage is PROCESS
                else f"(%W~{DEAD} -@all +xadd)"
            ),
        )
    )


def _user(name: str) -> str:
    return f"user {name} on resetpass #{name.upper()}_PASSWORD resetkeys"


def _sends(user: str) -> Iterator[str]:
    to = [stage for stage in STAGES if user in stage.senders]
    if to:
        yield f"({_keys(to)} -@all {SEND})"


def _reconciles() -> Iterator[str]:
    yield f"({_keys(STAGES)} -@all {RECONCILE})"


def _keys(stages: Sequence[Stage[Any]]) -> str:
    keys = [stage.key for stage in stages]
    return " ".join(f"~{key}" for key in [*keys, *dict.fromkeys(it.waiting for it in stages)])


def _ends(stage: Stage[Any]) -> Iterator[str]:
    if stage is PROCESS:
        yield f"(~{WAITING} -@all +zrem)"
    elif stage.last:
        yield f"(~{stage.key} ~{stage.waiting} -@all +eval) (~{stage.waiting} -@all +zrem)"
