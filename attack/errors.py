"""Reasons why a run, or one attack of it, has no result."""


class AttackError(Exception):
    """The run has no result; the message says what to do."""


class NotHeldError(Exception):
    """An attack had an effect; the message says which."""


class NotTriedError(Exception):
    """An attack cannot be tried on this system; the message says why."""
