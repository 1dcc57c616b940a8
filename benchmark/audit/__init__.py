"""Check the numbers of stored records, and exchange records as bundles or between stores."""
