"""What every worker of a stage that follows summaries does around its own work."""
