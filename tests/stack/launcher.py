"""A program that runs the servers until its standard input ends: `launcher.py FOLDER OPTION ...`.

The option `refuse` makes the kernel refuse it new user namespaces, as a container's seccomp
profile does; `weak` takes away the capability to pass folders that are closed to a user; with
`nobody` it is not root any more.
"""

import ctypes
import errno
import platform
import struct
import sys
from pathlib import Path

from mousetrap.stack import folder, servers, shim
from mousetrap.stack.errors import StackError

PR_SET_NO_NEW_PRIVS = 38
PR_SET_SECCOMP = 22
PR_CAPBSET_DROP = 24
SECCOMP_MODE_FILTER = 2
CAP_DAC_OVERRIDE = 1
CAP_DAC_READ_SEARCH = 2
UNSHARE = {"x86_64": 272, "aarch64": 97}


def prctl(option: int, *arguments: int) -> None:
    longs = [ctypes.c_ulong(argument) for argument in (*arguments, 0, 0, 0, 0)[:4]]
    if ctypes.CDLL(None, use_errno=True).prctl(option, *longs) != 0:
        raise OSError(ctypes.get_errno(), f"prctl {option}")


def refuse_namespaces() -> None:
    load, equal, give = 0x20, 0x15, 0x06  # BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_RET|K
    program = b"".join(
        struct.pack("HBBI", *instruction)
        for instruction in (
            (load, 0, 0, 0),  # the number of the system call
            (equal, 0, 1, UNSHARE[platform.machine()]),
            (give, 0, 0, 0x00050000 | errno.EPERM),  # SECCOMP_RET_ERRNO
            (give, 0, 0, 0x7FFF0000),  # SECCOMP_RET_ALLOW
        )
    )
    instructions = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(instructions))
    buffer = ctypes.create_string_buffer(header, len(header))
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.addressof(buffer))


def weaken() -> None:
    """Hold no capability any more that passes closed folders; what is root's stays open to root."""
    for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
        prctl(PR_CAPBSET_DROP, capability)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    sets = (ctypes.c_uint32 * 6)()
    libc = ctypes.CDLL(None, use_errno=True)
    libc.capget(header, sets)
    for index in range(3):
        sets[index] &= ~(1 << CAP_DAC_OVERRIDE | 1 << CAP_DAC_READ_SEARCH)
    if libc.capset(header, sets) != 0:
        raise OSError(ctypes.get_errno(), "capset")


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def main(root: str, *options: str) -> None:
    if "refuse" in options:
        refuse_namespaces()
    if "weak" in options:
        weaken()
    if "nobody" in options:
        shim.become("drop:65534:65534")
    try:
        with folder.hold(Path(root)) as held, servers.run(held) as running:
            say("pids", *(process.child.pid for process in running.processes))
            say("postgres", running.postgres_dsn)
            say("redis", running.redis_url)
            say("running")
            sys.stdin.read()
    except StackError as error:
        say(type(error).__name__, error)


if __name__ == "__main__":
    main(*sys.argv[1:])
