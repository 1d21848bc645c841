"""The fetch worker: takes a batch of points from a source and sends it on."""
