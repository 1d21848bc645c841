"""The options of every command."""

from dataclasses import dataclass


@dataclass
class Options:
    """Options that may stand before or after the command; the ones after it prevail."""

    url: str = "http://127.0.0.1:8000"
    token_file: str = ""
    timeout: float = 60.0
    json: bool = False
