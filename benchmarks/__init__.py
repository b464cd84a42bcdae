"""Measurements beside what others reach, in the same run; only ratios within one run mean something."""
