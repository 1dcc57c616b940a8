"""The datasets: one file for each published source."""
