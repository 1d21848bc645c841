"""The common part of every worker whose stage follows summaries."""
