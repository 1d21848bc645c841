"""Prepares a child process: changes its user, ties its life to the parent, runs the program.

Run by path, so it imports nothing but the standard library:

    python shim.py LAUNCHER SIGNAL IDENTITY FOLDER COMMAND [ARGUMENT ...]

`LAUNCHER` is the process id of the parent, at whose death the kernel sends `SIGNAL` (a number).
`IDENTITY` is `same`, `namespace:UID:GID` (root looks like that user, yet its files stay root's)
or `drop:UID:GID` (root becomes that user). The command runs in `FOLDER`. A program of its own
rather than a `preexec_fn`, which is unsafe as soon as the parent has a second thread.
"""

import contextlib
import ctypes
import os
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_SECUREBITS = 28
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
SECBIT_NO_SETUID_FIXUP = 1 << 2
CAP_DAC_OVERRIDE = 1
CAPABILITY_VERSION_3 = 0x20080522

CANNOT_RUN = 126


def become(identity: str) -> None:
    """Take on an identity, written as in the usage above; raises OSError when it is refused."""
    kind, _, ids = identity.partition(":")
    if kind != "same":
        uid, gid = map(int, ids.split(":"))
        {"namespace": become_namespaced, "drop": drop_to}[kind](uid, gid)


def become_namespaced(uid: int, gid: int) -> None:
    """Look like `uid` to the program itself and stay root for the files; raises OSError."""
    os.unshare(os.CLONE_NEWUSER)
    for name, line in (
        ("setgroups", "deny"),
        ("uid_map", f"{uid} 0 1"),
        ("gid_map", f"{gid} 0 1"),
    ):
        Path("/proc/self", name).write_text(line, "ascii")


def drop_to(uid: int, gid: int) -> None:
    """Become `uid` for good; raises OSError.

    One capability stays where possible: to search folders that are closed to `uid`, because
    programs and data of root are often below /root.
    """
    if sys.platform == "linux":
        with contextlib.suppress(PermissionError):
            # Keeps setuid from dropping capabilities, and access(2), by which Postgres finds its
            # own programs, from ignoring them.
            prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    if sys.platform == "linux" and reduce_capabilities(1 << CAP_DAC_OVERRIDE):
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0)


def reduce_capabilities(kept: int) -> bool:
    """Give up all capabilities but those in the bit set."""
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    # Effective, permitted, inheritable; then the same for the capabilities from 32 on.
    sets = (ctypes.c_uint32 * 6)(kept, kept, kept, 0, 0, 0)
    if ctypes.CDLL(None).capset(header, sets) == 0:
        return True
    ctypes.CDLL(None).capset(header, (ctypes.c_uint32 * 6)())
    return False


def prctl(option: int, *arguments: int) -> None:
    """Set one of the attributes of this process that Linux has for it; raises OSError."""
    longs = [ctypes.c_ulong(argument) for argument in arguments]
    if ctypes.CDLL(None, use_errno=True).prctl(option, *longs) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def closed(path: Path) -> Path | None:
    """Return the first part of the way to `path`, or `path`, that this user may not enter."""
    for each in (*reversed(path.parents), path):
        if not os.access(each, os.X_OK):
            return each
    return None


def main(launcher: str, death_signal: str, identity: str, folder: str, *command: str) -> str:
    """Run the command in place of this process; returns, with the reason, when it cannot be."""
    try:
        become(identity)
        if sys.platform == "linux":
            prctl(PR_SET_PDEATHSIG, int(death_signal))  # last: a change of identity clears it
            if os.getppid() != int(launcher):
                return "the launcher is gone"  # it died before the kernel knew its signal
    except OSError as error:
        return f"{identity.partition(':')[0]}: {error.strerror}"
    barrier = closed(Path(folder)) or closed(Path(command[0]))
    if barrier is not None:
        return f"{barrier} is missing, or closed to the user {os.geteuid()}"
    try:
        os.chdir(folder)
        os.execv(command[0], command)  # noqa: S606 - to run a command is what it is for
    except OSError as error:
        return f"{command[0]}: {error.strerror}"


if __name__ == "__main__":
    print(main(*sys.argv[1:]), file=sys.stderr)  # noqa: T201 - it has no other way to speak
    sys.exit(CANNOT_RUN)
