"""The fetch worker: fetches a batch of points from a source and sends it on."""
