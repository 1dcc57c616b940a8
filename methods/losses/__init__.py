"""Hashing losses: a file for each."""
