"""Shallow methods and the float row: one a file."""
