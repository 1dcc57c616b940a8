"""The search engines, one a file; each is registered by an entry point."""
