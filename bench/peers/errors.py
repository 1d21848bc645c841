"""Reasons why the comparison has no result."""


class PeerError(Exception):
    """A contender cannot be measured."""
