"""Formats of a report: Markdown, LaTeX, CSV and JSON."""
