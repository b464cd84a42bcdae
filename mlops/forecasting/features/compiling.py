"""How kernels are compiled: at their first call, without Python's checks, and kept on disk where that is possible."""

from collections.abc import Callable
from typing import Any

import numba


def compiled(function: Callable[..., None]) -> Any:
    """The function compiled by numba.

    What was compiled is kept in NUMBA_CACHE_DIR, beside the code or in the user's cache, whichever can be written;
    where none can, it is compiled again in every process.
    """
    try:
        return numba.njit(cache=True, error_model="numpy")(function)
    except RuntimeError:
        return numba.njit(error_model="numpy")(function)
