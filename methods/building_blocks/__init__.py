"""The parts that several losses and shallow methods share."""
