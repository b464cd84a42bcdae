"""Management commands of mlops and the formatting of their reports.

Run by `manage.py`; imported by no other package.
"""
