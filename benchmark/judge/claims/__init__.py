"""Check published claims against records: supported, refuted or undecided."""
