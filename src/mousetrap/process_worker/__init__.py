"""The process worker: turns a batch into a summary and stores it."""
