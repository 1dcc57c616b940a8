"""Compare methods: differences with intervals, corrected p-values and letters."""
