"""Reports: records as tables."""
