"""Databases of codes that do not fit in memory: folders of files, read a block at a time."""
