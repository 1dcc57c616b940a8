"""The process that does one cell: ``python -m hashbench.worker JOB.json``."""
