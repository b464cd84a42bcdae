"""Benchmarks; each measures the product beside a peer or a limit in the same run."""
