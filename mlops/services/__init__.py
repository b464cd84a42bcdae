"""Writes of mlops: training, evaluation, registry, serving."""
