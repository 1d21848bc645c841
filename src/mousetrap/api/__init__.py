"""The API, a deployable: accepts refreshes and serves stored summaries."""
