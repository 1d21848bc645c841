"""The API, a deployable: takes requests for fresh summaries and serves what is stored."""
