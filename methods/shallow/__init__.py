"""Shallow methods, and the comparison of float features: a file for each."""
