"""Backbones: one architecture family a file."""
