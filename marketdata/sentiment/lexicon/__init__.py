"""Lexicon-based sentiment scorer."""
