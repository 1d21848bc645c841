"""`mousetrap`, the command line: a client of the API, and a check of `sources.toml`."""
