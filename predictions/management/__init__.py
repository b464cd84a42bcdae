"""Management commands of predictions.

Run by `manage.py`; imported by no other package.
"""
