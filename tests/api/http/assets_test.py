"""Static files."""

from pathlib import Path
from typing import Any

from litestar import Request, get
from litestar.testing import create_test_client

from mousetrap.api.http.assets import Assets


def test_files_take_no_memory_before_they_are_asked_for(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("first")
    assets = Assets(tmp_path, headers={})

    @get("/")
    async def handler(request: Request[Any, Any, Any]) -> Any:
        return await assets.answer(page.name, request)

    page.write_text("second")
    with create_test_client([handler]) as client:
        assert client.get("/").text == "second"

        page.write_text("third")
        assert client.get("/").text == "second"
