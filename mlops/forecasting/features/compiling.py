"""Compilation of kernels at their first call, cached on disk where possible."""

from collections.abc import Callable
from typing import Any

import numba


def compiled(function: Callable[..., None]) -> Any:
    """Compile the function with numba.

    The cache is NUMBA_CACHE_DIR, next to the code, or the user's cache folder, whichever is writable; without one every
    process compiles again.
    """
    try:
        return numba.njit(cache=True, error_model="numpy")(function)
    except RuntimeError:
        return numba.njit(error_model="numpy")(function)
