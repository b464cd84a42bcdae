"""Template filters for figures and verdicts.

Loaded by templates with `{% load %}`; imported by no other package.
"""
