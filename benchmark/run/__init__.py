"""Plan which cells are missing, and run them on this machine, through Slurm or through Ray."""
