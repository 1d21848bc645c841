"""Logs, health checks, metrics and traces."""
