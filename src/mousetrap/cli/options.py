"""What every command can be told: where the API is, how long to wait, how to answer."""

from dataclasses import dataclass


@dataclass
class Options:
    """The options that may stand before the command or behind it; the latter prevail."""

    url: str = "http://127.0.0.1:8000"
    timeout: float = 60.0
    json: bool = False
