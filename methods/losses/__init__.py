"""Hashing losses: one a file."""
