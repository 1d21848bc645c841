"""Reasons why a benchmark has no result."""


class BenchError(Exception):
    """Nothing was measured."""


class LoadError(BenchError):
    """A server gave an unexpected answer."""


class PipelineError(BenchError):
    """A job did not succeed, or not in time."""


class GeographyError(BenchError):
    """Two summaries of the same points differ."""


class StartError(BenchError):
    """A process did not become ready."""
