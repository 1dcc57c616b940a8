"""Cells as Slurm jobs, handed over and watched from a login node."""
