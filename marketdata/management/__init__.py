"""Management commands of marketdata and the formatting of their reports."""
