"""Exact, tie-aware retrieval metrics: one name, one computation."""
