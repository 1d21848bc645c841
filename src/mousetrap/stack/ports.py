"""The TCP ports of this machine's loopback address."""

import errno
import random
import socket
from itertools import islice

from mousetrap.stack.errors import PortError

HOST = "127.0.0.1"
ALL = range(1, 65536)
# Any connection may be given a port from 32768 (Linux) or 49152 (RFC 6335) on, and so take one
# between the moment it is chosen and the moment a server listens on it.
CHOICE = range(20_000, 32_768)


def require_free(port: int) -> None:
    """Raise PortError unless a server can listen on the port."""
    with socket.socket() as listener:
        # As servers do: a port whose last connections have just been closed is free.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
            listener.listen()
        except OSError as error:
            trouble = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be used ({error})"
            raise PortError(f"port {port} {trouble}: choose another one with --port") from error


def near(port: int) -> int:
    """Return the port after this one, or any without a listener if that one is taken."""
    return port + 1 if port + 1 in ALL and _is_free(port + 1) else free(1)[0]


def free(count: int) -> list[int]:
    """Return ports without a listener, in any order; they are not reserved.

    Raises PortError if there are not enough.
    """
    found = list(islice(filter(_is_free, random.sample(CHOICE, len(CHOICE))), count))
    if len(found) < count:
        raise PortError(f"no {count} ports of {CHOICE[0]} to {CHOICE[-1]} are free: free some")
    return found


def _is_free(port: int) -> bool:
    try:
        require_free(port)
    except PortError:
        return False
    return True
