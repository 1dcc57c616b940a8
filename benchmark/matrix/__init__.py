"""The matrix file: schema, positions of mistakes, expansion to cells; imports no torch."""
