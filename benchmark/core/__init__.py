"""The values everything else is built from; imports no torch."""
