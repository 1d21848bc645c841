"""HTTP around the endpoints: limits, access log, errors, caching, paging, compression."""
