"""The migrations, oldest first by name; `version` and `migrations` list them too.

A migration may only add (tables, columns with a default, indexes, triggers), because processes of
the version before it are still running when it is applied. The statements of one
that was released are never edited.
"""
