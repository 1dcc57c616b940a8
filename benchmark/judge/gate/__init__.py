"""A regression check: what a store of today has against a committed baseline."""
