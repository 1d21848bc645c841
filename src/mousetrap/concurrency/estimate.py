"""Estimates the size of the next item from the last ones."""


def estimate(before: int, found: int) -> int:
    """Return the estimated size of the next item, at least 1.

    It is a decaying maximum: it jumps up to `found`, and shrinks by 25 % for each smaller item.
    """
    return max(found, before * 3 // 4, 1)
