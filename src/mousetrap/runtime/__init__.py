"""The process around a deployable: entry point, signals, memory, loops that retry."""
