from collections.abc import Iterator
from pathlib import Path

import pytest

from mousetrap.stack.folder import Folder, hold


@pytest.fixture
def own_folder(tmp_path: Path) -> Iterator[Folder]:
    """A place for servers of one test alone."""
    with hold(tmp_path / "servers") as folder:
        yield folder
