"""Search engines over binary codes, and what a query costs in each."""
