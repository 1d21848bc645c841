"""Static files: read and compressed once, when first asked for, and named by their content."""

import asyncio
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from litestar import Request, Response
from litestar.exceptions import NotFoundException

from mousetrap.api.http import etags, negotiation

MINIMUM: Final = 1024
"""The minimum size of a compressed file in bytes: smaller ones fit into one packet anyway."""
LEVEL: Final = 6

MEDIA_TYPES: Final = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
}
COMPRESSED: Final = frozenset({".png"})


class Assets:
    """The files that a folder has when this is made; others than MEDIA_TYPES are not served.

    A file is read when it is first asked for, and kept: most APIs are asked for none, and all
    answers share the bytes, so a client that reads slowly costs no memory. `bundles` are scripts
    that consist of files of the folder, in this order; those are not served alone.
    """

    def __init__(
        self,
        folder: Path,
        *,
        headers: Mapping[str, str],
        bundles: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self._headers = dict(headers)
        files = {it.name: [it] for it in folder.iterdir() if it.suffix in MEDIA_TYPES}
        for bundle, parts in (bundles or {}).items():
            files[bundle] = [path for part in parts for path in files.pop(part)]
        self._assets = {name: _Asset(name, paths) for name, paths in files.items()}

    async def answer(self, name: str, request: Request[Any, Any, Any]) -> Response[Any]:
        """Answer with a file, or with 304 if the caller has it.

        Raises NotFoundException, and OSError for a file that can be read no more.
        """
        asset = self._assets.get(name)
        if asset is None:
            raise NotFoundException
        content = await asset.content()
        if etags.matches(request.headers.get("if-none-match"), content.etag):
            return etags.not_modified(content.etag, self._headers)
        headers = {**self._headers, "ETag": content.etag}
        body = content.plain
        accepted = request.headers.get("accept-encoding", "")
        if content.gzipped is not None and negotiation.takes_gzip(accepted):
            # The middleware adds Vary to the other answers, and compresses none of these again.
            headers |= {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
            body = content.gzipped
        return Response(body, media_type=asset.media_type, headers=headers)


@dataclass(frozen=True, slots=True)
class _Content:
    plain: bytes
    etag: str
    gzipped: bytes | None
    """None when it would hardly be smaller."""


class _Asset:
    def __init__(self, name: str, paths: Sequence[Path]) -> None:
        self._suffix = Path(name).suffix
        self._paths = paths
        self._content: _Content | None = None
        self._reading = asyncio.Lock()
        self.media_type = MEDIA_TYPES[self._suffix]

    async def content(self) -> _Content:
        """Return the content, which is the same for all callers; raises OSError."""
        async with self._reading:
            if self._content is None:
                self._content = await asyncio.to_thread(self._read)
            return self._content

    def _read(self) -> _Content:
        # A semicolon, for a script may end without one.
        plain = b"\n;\n".join(path.read_bytes() for path in self._paths)
        compressible = len(plain) >= MINIMUM and self._suffix not in COMPRESSED
        return _Content(plain, etags.tag(plain), _gzip(plain) if compressible else None)


def _gzip(content: bytes) -> bytes:
    gzip = zlib.compressobj(LEVEL, wbits=zlib.MAX_WBITS | 16)
    return gzip.compress(content) + gzip.flush()
