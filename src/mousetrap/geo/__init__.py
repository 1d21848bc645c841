"""Points on the Earth and the summary of a batch. Pure: no I/O, no framework."""
