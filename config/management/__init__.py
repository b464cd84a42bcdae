"""Management commands of the project.

Run by `manage.py`; imported by no other package.
"""
