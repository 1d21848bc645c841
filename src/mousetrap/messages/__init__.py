"""What travels on the streams: versioned, strictly validated messages."""
