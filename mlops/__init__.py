"""Training, evaluation, versions and promotion of models."""
