"""Datasets, and the protocols that split them into training, query and database images."""
