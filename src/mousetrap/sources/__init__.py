"""Where batches come from: invented places, and documents over HTTP."""
