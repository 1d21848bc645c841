"""Generates deploy/valkey/users.acl from the stages of the pipeline: `./pants docs`.

A user has only the rights that its process uses. It may run only the scripts of the queue, each on
all of its keys under one rule, in brackets, and no script of its own. Each command in a script also
needs a rule, which names the keys of one type only: a key of the wrong type would break every
process. No rule can forbid the arguments of a command, so XADD can trim; the reconciler sends again
what that has lost.

Processes of the last release run beside those of this version during an update. A script that has
changed since is therefore allowed in both forms, so the file can be replaced before the processes.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from mousetrap.queue import begun, circuits, pieces, scripts
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
    " +xgroup|delconsumer +xinfo|consumers +xpending +xreadgroup +time"
)
MEASURE: Final = "+time +xinfo|consumers +xlen +xpending +xrange"

RELEASED: Final[Mapping[str, str]] = {
    "SEND": "4e87d6162ddce7c515aa222af853a269070906de",
    "READ": "708dc1025496fa27146ded458725c57bf78899ab",
    "DONE": "1ffc8a62743df62d0bdaf5504efd9f374edf0595",
    "LOOK": "603dcb289cf2857f6bdd61f6c925cf8827f7d07d",
    "EXTEND": "a9be3ac8b51fe4183518c44d5b3ad5e65cfe5877",
    "FAILED": "26114bcba9525daccc5d1873d0613f94612fab74",
    "PROBE": "1b5712ab23d39cc060ccc33e9e00720d686fb06c",
    "CIRCUITS": "57bb2363d885fd1b89f9a5185cf13c71b37692be",
    "FORGET": "c4caa7f3ae2742fcd423ecd13253813896218bc8",
    "MEASURE": "184a8bb5de87c51a017a7e7e9a0b8f0b0d571cf6",
    "BURIED": "88849f30ff5ce25cfe24dd87e717a1a36da0c506",
}
"""The digests of the scripts of the last release; each release replaces them by its own.

The commands that a former script needs stay allowed for as long as it does.
"""


def text() -> str:
    """Return the text of the file."""
    return NOBODY + "".join(f"{line}\n" for line in (_api(), *map(_worker, STAGES)))


def digests() -> dict[str, str]:
    """Return the digests of the scripts of this version, by name."""
    return {name: it.digest for name, it in vars(scripts).items() if isinstance(it, Script)}


def _runs(script: Script) -> str:
    """Return the rules of a script: a command may be allowed with its first argument only.

    Valkey and Redis warn at their start that this is meant for container commands only.
    """
    [name] = [name for name, it in vars(scripts).items() if it is script]
    former = RELEASED.get(name, script.digest)
    each = dict.fromkeys((script.digest, former))
    return " ".join(f"+evalsha{'_ro' if script.readonly else ''}|{digest}" for digest in each)


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
            *_carries_pieces(stage),
            *(_collects() if stage is PROCESS else (f"(%W~{DEAD} -@all +xadd)",)),
        )
    )


def _user(name: str) -> str:
    return f"user {name} on resetpass #{name.upper()}_PASSWORD resetkeys"


def _sends(user: str) -> Iterator[str]:
    to = [stage for stage in STAGES if user in stage.senders]
    if to:
        yield f"({_streams(to)} {_waiting(to)} -@all {_runs(scripts.SEND)})"
        yield f"({_streams(to)} -@all +xadd +xpending)"
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


def _carries_pieces(stage: Stage[Any]) -> Iterator[str]:
    if stage is FETCH:
        yield f"(~{pieces.PREFIX}* -@all +set)"
    if stage is PROCESS:
        yield f"(~{pieces.PREFIX}* -@all +getrange +unlink)"


def _ends(stage: Stage[Any]) -> Iterator[str]:
    if stage.last:
        yield f"(~{stage.key} ~{stage.waiting} -@all {_runs(scripts.DONE)})"
        yield f"(~{stage.waiting} -@all +zrem)"
