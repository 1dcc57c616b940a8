"""Published claims as checks that records answer: supported, refuted or undecided."""
