"""The admin page: a read-only view of the tables of the database."""
