"""Peers of the API benchmark, run in separate processes."""
