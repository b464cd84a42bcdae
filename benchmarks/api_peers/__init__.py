"""Peers of the API benchmark, run in separate processes.

Started by benchmarks.api; imported by no other package.
"""
