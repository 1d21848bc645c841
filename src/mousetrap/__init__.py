"""Mousetrap: an always-fresh spatial summary of feeds of geographic points."""

from typing import Final

__version__: Final = "1.0.0"
"""That of the images, too: see deploy/images/Dockerfile."""
