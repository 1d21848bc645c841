"""Pages of rows by their sequence, each read from one index however long the table has grown.

Left to itself, Postgres may walk down the sequences of all rows until a page is full of those
that fit, which is long when few do.
"""

from collections.abc import Iterable
from typing import Final

END: Final = 2**63 - 1
"""The exclusive upper bound of sequences."""


def page(
    selection: str,
    *,
    within: tuple[str, str] | None,
    between: tuple[int | None, int | None],
    filters: Iterable[tuple[str, str, object]],
    limit: int,
) -> tuple[str, list[object]]:
    """Return the query of at most `limit` rows of a `SELECT … FROM …`, the highest sequences first.

    They are those `between` two sequences, neither of them included, and `within` one value of a
    column, of which there is an index together with the sequence. `filters`, each a column, an
    operator and a value, are tried row by row; one with None is left out. The query comes with its
    arguments, so that there are few different ones to be prepared.
    """
    low, high = between[0] or 0, END if between[1] is None else between[1]
    arguments: list[object]
    if within is None:
        order, arguments = "sequence DESC", [low, high]
        conditions = ["sequence > $1", "sequence < $2"]
    else:
        # With an equality and an order by sequence alone the index would be one of several.
        column, value = within
        order, arguments = f"{column} DESC, sequence DESC", [value, low, high]
        conditions = [f"({column}, sequence) > ($1, $2)", f"({column}, sequence) < ($1, $3)"]
    for column, operator, wanted in filters:
        if wanted is not None:
            arguments.append(wanted)
            conditions.append(f"{column} {operator} ${len(arguments)}")
    arguments.append(limit)
    where = " AND ".join(conditions)
    return f"{selection} WHERE {where} ORDER BY {order} LIMIT ${len(arguments)}", arguments
