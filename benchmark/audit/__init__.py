"""Whether records can be trusted: sealed numbers checked, run again, compared and handed on."""
