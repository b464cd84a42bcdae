"""One module per command: train, evaluate, check_leaks.

Loaded by Django by name; imported by no other package.
"""
