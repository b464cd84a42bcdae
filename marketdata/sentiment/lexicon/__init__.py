"""Scoring by lists of words: what works without any download of weights."""
