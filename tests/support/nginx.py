"""The real nginx in front of an API, which it serves below a path as the documentation says."""

import contextlib
import re
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from mousetrap.stack import identity, ports, postgres
from mousetrap.stack.folder import hold
from mousetrap.stack.launcher import Launcher
from mousetrap.stack.output import LogFiles

ROOT = "/geo"

_FOUND = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/bin")
NEEDED = pytest.mark.skipif(_FOUND is None, reason="there is no nginx: apt install nginx")

_FILE = """
daemon off;
pid {home}/pid;
error_log stderr warn;
events {{}}
http {{
    access_log off;
    client_body_temp_path {home}/body;
    proxy_temp_path {home}/proxy;
    fastcgi_temp_path {home}/fastcgi;
    scgi_temp_path {home}/scgi;
    uwsgi_temp_path {home}/uwsgi;
    server {{
        listen 127.0.0.1:{port};
        {location}
    }}
}}
"""
_PAGE = Path("docs/operations/behind-a-proxy.md").resolve()


@contextlib.contextmanager
def before(api: int, folder: Path, *, removed: bool) -> Iterator[str]:
    """Serve the API of port `api` below the path ROOT; yield its address there.

    If `removed`, the API is sent paths without ROOT.
    """
    assert _FOUND
    [port] = ports.free(1)
    with hold(folder) as held:
        user = identity.choose(postgres.binary("postgres"), held.root)
        home = held.provide(held.root / "nginx", user)
        file = home / "nginx.conf"
        file.write_text(
            _FILE.format(home=home, port=port, location=_location(api, removed=removed))
        )
        launcher = Launcher(held, user, LogFiles(held.root))
        command: list[str | Path] = [_FOUND, "-e", "stderr", "-c", file]
        with launcher.running("nginx", command, home, lambda _: _accepts(port)):
            yield f"http://127.0.0.1:{port}{ROOT}"


def _location(api: int, *, removed: bool) -> str:
    [block] = re.findall(
        r"^```nginx\n(.*?)^```", _PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    documented = "http://127.0.0.1:8000/;"
    assert documented in block
    assert f"location {ROOT}/ {{" in block
    return str(block).replace(documented, f"http://127.0.0.1:{api}{'/' if removed else ''};")


def _accepts(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
        return True
    return False
