"""The TCP ports of this machine's loopback address."""

import contextlib
import errno
import socket

from mousetrap.stack.errors import PortError

HOST = "127.0.0.1"
ALL = range(1, 65536)


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


def free(count: int) -> list[int]:
    """Return ports that nobody listens on; they are not reserved."""
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(socket.socket()) for _ in range(count)]
        for listener in listeners:
            listener.bind((HOST, 0))
        return [int(listener.getsockname()[1]) for listener in listeners]
