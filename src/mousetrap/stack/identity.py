"""The user of the servers. Postgres refuses root, so root gives it another one."""

import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mousetrap.stack import process
from mousetrap.stack.errors import IdentityError

DEADLINE = 30.0


@dataclass(frozen=True, slots=True)
class Identity:
    """A user for the servers: `form` is the argument of the shim, `uid` and `gid` own the files."""

    form: str
    uid: int
    gid: int


def choose(program: Path, folder: Path) -> Identity:
    """Return the first identity that can run `program` in `folder`; root tries each by running it.

    As root that is a user namespace, in which the files stay root's; where namespaces are refused
    (a container's seccomp profile, a sysctl), the user `nobody`, who must then own the files.
    Raises IdentityError when there is none.
    """
    if os.geteuid() != 0:
        return Identity(process.SAME, os.geteuid(), os.getegid())
    refusals = []
    for identity in _candidates():
        refusal = _refusal(identity, program, folder)
        if refusal is None:
            return identity
        refusals.append(refusal)
    raise IdentityError(
        f"Postgres refuses to run as root, and no other user can run it ({'; '.join(refusals)}):"
        f" choose a data folder that every user may enter, or start as a user other than root"
    )


def _candidates() -> Iterator[Identity]:
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError as error:
        raise IdentityError(
            "Postgres refuses to run as root, and there is no user `nobody` that it could run as:"
            " add that user, or start as a user other than root"
        ) from error
    ids = f"{nobody.pw_uid}:{nobody.pw_gid}"
    if sys.platform == "linux":
        yield Identity(f"namespace:{ids}", 0, 0)
    yield Identity(f"drop:{ids}", nobody.pw_uid, nobody.pw_gid)


def _refusal(identity: Identity, program: Path, folder: Path) -> str | None:
    done = subprocess.run(  # noqa: S603 - the command is ours
        process.tied(
            [program, "--version"], cwd=folder, death=signal.SIGKILL, identity=identity.form
        ),
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    return None if done.returncode == 0 else done.stderr.strip()
