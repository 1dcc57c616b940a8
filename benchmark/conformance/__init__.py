"""Conformance: check on tiny data that a component meets the requirements of the harness."""
