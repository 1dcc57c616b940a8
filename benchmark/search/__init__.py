"""Search engines over binary codes, and the measurement of their latency and recall."""
