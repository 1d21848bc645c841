"""Points on the Earth and what a batch of them comes to. Pure: no I/O, no framework."""
