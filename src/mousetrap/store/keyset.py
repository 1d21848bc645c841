"""Pages of rows by their sequence, each read from one index however long the table has grown.

Left to itself, Postgres may walk down the sequences of all rows until a page is full of those
that fit, which is long when few do.
"""

from collections.abc import Mapping
from typing import Final

from piccolo.querystring import QueryString

END: Final = 2**63 - 1
"""What no sequence comes up to."""


def page(
    table: str,
    *,
    within: tuple[str, str] | None,
    between: tuple[int | None, int | None],
    filters: Mapping[str, object],
    limit: int,
) -> QueryString:
    """Return the query of at most `limit` rows of a table, those of the highest sequences first.

    They are those `between` two sequences, neither of them included, and `within` one value of a
    column, of which there is an index together with the sequence. `filters`, conditions with the
    value that each takes, are tried row by row; None is no condition.
    """
    low, high = between[0] or 0, END if between[1] is None else between[1]
    if within is None:
        order = "sequence DESC"
        bounds = QueryString("sequence > {} AND sequence < {}", low, high)
    else:
        # With an equality and an order by sequence alone the index would be one of several.
        column, value = within
        order = f"{column} DESC, sequence DESC"
        both = f"({column}, sequence)"
        bounds = QueryString(
            f"{both} > ({{}}, {{}}) AND {both} < ({{}}, {{}})", value, low, value, high
        )
    conditions = [bounds, *(QueryString(sql, it) for sql, it in filters.items() if it is not None)]
    where = QueryString(" AND ".join(["{}"] * len(conditions)), *conditions)
    ordered = f"SELECT * FROM {table} WHERE {{}} ORDER BY {order} LIMIT {{}}"  # noqa: S608 - names
    return QueryString(ordered, where, limit)
