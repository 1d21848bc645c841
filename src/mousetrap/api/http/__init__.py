"""The HTTP layer: limits, access log, errors, caching, paging, compression."""
