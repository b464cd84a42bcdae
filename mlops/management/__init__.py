"""Management commands of mlops and the formatting of their reports."""
