"""Benchmarks; each measures the product beside a peer or a limit in the same run.

Started by `make bench-*`; imported by no app.
"""
