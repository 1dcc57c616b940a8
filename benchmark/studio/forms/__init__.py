"""A matrix file as a form, made from what methods say of their parameters."""
