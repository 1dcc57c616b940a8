"""Finding out what is missing and launching the workers that make it."""
