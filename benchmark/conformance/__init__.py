"""Conformance: whether a component keeps to what the harness counts on, seen on tiny data."""
