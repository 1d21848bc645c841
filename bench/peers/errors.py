"""What keeps the comparison from having a result."""


class PeerError(Exception):
    """A contender cannot be measured."""
