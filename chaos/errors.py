"""Reasons why a run has no result."""


class ChaosError(Exception):
    """The run has no result."""
