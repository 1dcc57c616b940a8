"""A package that brings hashbench a loss, a backbone and a dataset; for tests only."""
