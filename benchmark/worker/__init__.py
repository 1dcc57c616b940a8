"""The worker: one process that trains, encodes and evaluates one cell."""
