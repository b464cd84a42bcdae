"""Management commands of predictions."""
