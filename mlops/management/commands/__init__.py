"""One module per command: train, evaluate, check_leaks."""
