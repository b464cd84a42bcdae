"""Template filters for figures and verdicts."""
