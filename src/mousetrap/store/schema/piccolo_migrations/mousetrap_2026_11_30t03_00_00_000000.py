"""The points of a batch have ids, groups and values, and a summary tells what has changed."""

ID = "2026-11-30T03:00:00:000000"
DESCRIPTION = "ids, groups and values of points, changes of summaries"

STATEMENTS = (
    # Null where a source does not ask for the column, and in the rows of the version before.
    """
    ALTER TABLE batch_part
        ADD COLUMN ids     json,
        ADD COLUMN groups  json,
        ADD COLUMN "values"  json
    """,
    # The ids of the features that are new or gone; null where nobody asks for them.
    "ALTER TABLE summary ADD COLUMN changes json",
)
