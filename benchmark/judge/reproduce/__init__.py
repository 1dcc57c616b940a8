"""Run a recorded fit again and compare codes and metrics with the record."""
