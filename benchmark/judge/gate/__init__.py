"""The gate: a regression check of a store against a committed baseline."""
