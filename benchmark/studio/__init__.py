"""The practical retrieval system in a web page; it reads the store and starts the command line."""
