"""``hashbench serve``: a search worker that keeps models and codes in memory, on loopback only."""
