"""Define the values that all other parts share: cells, records, codes; imports no torch."""
