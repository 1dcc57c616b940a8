"""Train deep methods on one device, with exact control of order, randomness and resume."""
