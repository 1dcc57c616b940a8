"""Running a stored record again and judging whether its numbers came out again."""
