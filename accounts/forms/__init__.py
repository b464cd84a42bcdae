"""Forms of the account pages.

Imported by views and the allauth settings; contains validation of input only.
"""
