"""How large the next one is, guessed from the last ones."""


def estimate(before: int, found: int) -> int:
    """Return what the next one is taken for: about as large as the largest of the last ones.

    What was `found` counts in full; what was taken for granted `before` loses a quarter with each
    that turns out to be smaller. It is 1 at least.
    """
    return max(found, before * 3 // 4, 1)
