"""State that follows Postgres and Redis: events, admission, the summary cache, queue depths."""
