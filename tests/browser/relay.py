"""A way to the system that can be cut."""

import contextlib
import socket
import socketserver
import threading
from collections.abc import Iterator


class Relay(socketserver.ThreadingTCPServer):
    """Hands on every connection to a port of 127.0.0.1 until it is cut."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, upstream: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = upstream
        self.port: int = self.server_address[1]
        self.broken = False
        self.open: set[socket.socket] = set()

    def cut(self) -> None:
        """End all connections, and every further one at once."""
        self.broken = True
        for end in list(self.open):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """Hand on connections again."""
        self.broken = False


class _Handler(socketserver.BaseRequestHandler):
    server: Relay
    request: socket.socket

    def handle(self) -> None:
        if self.server.broken:
            return
        with socket.create_connection(("127.0.0.1", self.server.upstream)) as upstream:
            ends = {self.request, upstream}
            self.server.open |= ends
            back = threading.Thread(target=_pump, args=(upstream, self.request))
            back.start()
            _pump(self.request, upstream)
            back.join()
            self.server.open -= ends


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while chunk := source.recv(65536):
            target.sendall(chunk)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def relay(upstream: int) -> Iterator[Relay]:
    """Run a relay to a port."""
    with Relay(upstream) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        try:
            yield running
        finally:
            running.cut()
            running.shutdown()
