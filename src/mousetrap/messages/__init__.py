"""The messages on the streams: versioned and strictly validated."""
