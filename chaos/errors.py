"""What keeps a run from having a result."""


class ChaosError(Exception):
    """Nothing was found out."""
