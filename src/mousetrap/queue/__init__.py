"""Messages over Redis streams. The only package that knows taskiq and redis."""
