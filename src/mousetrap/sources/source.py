"""The protocol of a source, and the collaborators of its constructor."""

from dataclasses import dataclass
from typing import Protocol

from mousetrap.settings.secrets import NO_SECRETS, Keyring
from mousetrap.sources.batches import Batches
from mousetrap.sources.fetched import Fetched
from mousetrap.sources.http.download import Downloader


@dataclass(frozen=True, slots=True)
class Context:
    """The name of a source, and the collaborators that all sources share."""

    name: str
    downloader: Downloader
    batches: Batches
    keyring: Keyring = NO_SECRETS


class Source(Protocol):
    """An entry of `sources.toml` that batches are fetched from."""

    def weight(self) -> int:
        """Return an upper estimate of the bytes of memory that fetching a batch takes."""

    async def fetch(self) -> Fetched:
        """Return a batch of at least one point.

        Enforces its own deadline and may be cancelled at any time. Raises only SourceError,
        whatever the server sends.
        """
