"""Cells on a Ray cluster; the library is imported when a run asks for it."""
