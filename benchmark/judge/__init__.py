"""Verdicts on records: comparisons, claims, the gate and reproductions."""
