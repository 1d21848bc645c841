"""Messages between the processes over Redis streams. The only room that knows taskiq and redis."""
