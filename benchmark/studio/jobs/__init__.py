"""What the page started: commands that run without it, and what they say."""
