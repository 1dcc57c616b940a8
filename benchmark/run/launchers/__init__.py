"""Ways to start a cell's worker: on this machine, through Slurm, through Ray."""
