"""Draw conclusions from records: comparisons, claims, the gate and reproductions."""
