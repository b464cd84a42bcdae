"""Lexicon-based sentiment scorer.

Imported by marketdata.sentiment; pure.
"""
