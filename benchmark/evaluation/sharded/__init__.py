"""Sharded databases: codes that do not fit in memory, in folders of files read block by block."""
