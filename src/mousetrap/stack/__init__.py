"""The whole system on this machine without Docker: real servers, real processes, one command."""
