"""A pytest plugin that gives the test run its servers before Django reads its settings."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
