"""Datasets and the protocols that cut them into train, query and database."""
