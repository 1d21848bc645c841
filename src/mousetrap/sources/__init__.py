"""Where batches come from: invented places, and GeoJSON over HTTP."""
