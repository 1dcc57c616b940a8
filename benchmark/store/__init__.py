"""Records and arrays on disk."""
