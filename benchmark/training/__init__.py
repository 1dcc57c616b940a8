"""The training loop: one device, exact control of order, randomness and resume."""
