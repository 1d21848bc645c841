"""Static files: kept in memory, compressed once, and named by their content."""

import asyncio
import zlib
from collections.abc import Mapping, Sequence
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
    """The files of a folder, read when this is made; others than MEDIA_TYPES are not served.

    All answers share the bytes, so a client that reads slowly costs no memory. `bundles` are
    scripts that consist of files of the folder, in this order; those are not served alone.
    """

    def __init__(
        self,
        folder: Path,
        *,
        headers: Mapping[str, str],
        bundles: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self._headers = dict(headers)
        files = {it.name: it.read_bytes() for it in folder.iterdir() if it.suffix in MEDIA_TYPES}
        for bundle, parts in (bundles or {}).items():
            # A semicolon, for a script may end without one.
            files[bundle] = b";\n".join(files.pop(part) for part in parts)
        self._assets = {name: _Asset(name, content) for name, content in files.items()}

    async def answer(self, name: str, request: Request[Any, Any, Any]) -> Response[Any]:
        """Answer with a file, or with 304 if the caller has it; raises NotFoundException."""
        asset = self._assets.get(name)
        if asset is None:
            raise NotFoundException
        if etags.matches(request.headers.get("if-none-match"), asset.etag):
            return etags.not_modified(asset.etag, self._headers)
        headers = {**self._headers, "ETag": asset.etag}
        content = asset.content
        accepted = request.headers.get("accept-encoding", "")
        if asset.compressible and negotiation.takes_gzip(accepted):
            # The middleware adds Vary to the other answers, and compresses none of these again.
            headers |= {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
            content = await asset.gzipped()
        return Response(content, media_type=asset.media_type, headers=headers)


class _Asset:
    def __init__(self, name: str, content: bytes) -> None:
        suffix = Path(name).suffix
        self.content = content
        self.media_type = MEDIA_TYPES[suffix]
        self.compressible = len(content) >= MINIMUM and suffix not in COMPRESSED
        self.etag = etags.tag(self.content)
        self._gzipped: bytes | None = None
        self._compressing = asyncio.Lock()

    async def gzipped(self) -> bytes:
        """Return the compressed content, which is the same for all callers."""
        async with self._compressing:
            if self._gzipped is None:
                self._gzipped = await asyncio.to_thread(_gzip, self.content)
            return self._gzipped


def _gzip(content: bytes) -> bytes:
    gzip = zlib.compressobj(LEVEL, wbits=zlib.MAX_WBITS | 16)
    return gzip.compress(content) + gzip.flush()
