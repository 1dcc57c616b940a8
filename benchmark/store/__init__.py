"""Write and read records, arrays and leases on disk."""
