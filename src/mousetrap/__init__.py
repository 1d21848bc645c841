"""Mousetrap: an always-fresh spatial summary of feeds of geographic points."""
