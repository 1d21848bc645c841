"""The sources of batches: made-up places, and documents over HTTP."""
