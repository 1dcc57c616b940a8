"""Readers of the file formats that datasets come in."""
