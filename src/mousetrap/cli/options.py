"""The options of every command."""

import os
from dataclasses import dataclass, field

from mousetrap.settings import running

DEFAULT_URL = "http://127.0.0.1:8000"


def _local() -> str:
    return running.newest(os.environ) or DEFAULT_URL


@dataclass
class Options:
    """Options that may stand before or after the command; the ones after it prevail."""

    url: str = field(default_factory=_local)
    token_file: str = ""
    timeout: float = 60.0
    json: bool = False
