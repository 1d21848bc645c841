"""Jobs, summaries and their batches in Postgres: tables, migrations, queries."""
