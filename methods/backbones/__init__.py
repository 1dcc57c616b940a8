"""Backbones: a file for each family of architectures."""
