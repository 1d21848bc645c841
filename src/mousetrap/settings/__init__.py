"""Configuration: the environment and `sources.toml`, read once into frozen objects."""
