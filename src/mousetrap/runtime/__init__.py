"""The process around a deployable: entry point, signals, memory."""
