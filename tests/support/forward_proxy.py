"""A real forward proxy on loopback: CONNECT for HTTPS, absolute URLs for HTTP."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from chaos.relays import closed, copy, listening


@dataclass
class Proxy:
    """Connects every name to loopback, and notes whom it was asked for."""

    port: int = 0
    userinfo: str | None = None
    asked: list[str] = field(default_factory=list)

    def url(self, userinfo: str = "") -> str:
        return f"http://{userinfo}127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        first, _, rest = head.partition(b"\r\n")
        method, target, _ = first.decode("ascii").split(" ")
        self.asked.append(f"{method} {target}")
        if not self._may(rest):
            writer.write(b"HTTP/1.1 407 canary\r\nContent-Length: 0\r\n\r\n")
            writer.close()
        elif method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
            await _relay(reader, writer, int(target.rpartition(":")[2]), b"")
        else:
            url = urlsplit(target)
            path = url.path + (f"?{url.query}" if url.query else "")
            asked = f"{method} {path or '/'} HTTP/1.1\r\n".encode() + rest
            await _relay(reader, writer, url.port or 80, asked)

    def _may(self, head: bytes) -> bool:
        if self.userinfo is None:
            return True
        return b"Basic " + base64.b64encode(self.userinfo.encode()) in head


async def _relay(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int, first: bytes
) -> None:
    there, back = await asyncio.open_connection("127.0.0.1", port)
    async with closed(back), asyncio.TaskGroup() as group:
        back.write(first)
        group.create_task(copy(reader, back))
        group.create_task(copy(there, writer))


@asynccontextmanager
async def running(*, userinfo: str | None = None) -> AsyncIterator[Proxy]:
    proxy = Proxy(userinfo=userinfo)
    async with listening(proxy.serve) as proxy.port:
        yield proxy
