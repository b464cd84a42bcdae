"""Writes of mlops: training, evaluation, registry, serving.

Imported by commands, tasks, admin and predictions; one transaction per call.
"""
