"""Toolchain of a forecast: library versions, digest of this package's source, processor."""

import hashlib
import platform
from functools import lru_cache
from importlib import metadata
from pathlib import Path

from mlops.forecasting.models.catalog import processor_features

# Alternative distributions of a library; the first installed one counts.
LIBRARIES = {
    "numba": ("numba",),
    "numpy": ("numpy",),
    "scikit-learn": ("scikit-learn",),
    "scipy": ("scipy",),
    "torch": ("torch",),
    "xgboost": ("xgboost-cpu", "xgboost"),
}
PACKAGE = Path(__file__).parent
# Modules that only train or evaluate do not affect a stored model.
NOT_SERVING = frozenset(
    {
        "tests",
        "backtest",
        "leaks",
        "fitting",
        "forecast_rows",
        "learning",
        "out_of_fold",
        "holdout",
        "promotion_gate",
        "targets",
        "splits",
    }
)


@lru_cache(maxsize=1)
def _toolchain() -> tuple[tuple[str, str], ...]:
    versions = {name: _version(distributions) for name, distributions in LIBRARIES.items()}
    versions["python"] = platform.python_version()
    versions["source"] = source_digest(PACKAGE)
    versions["processor"] = f"{platform.machine()} {processor_features()}"
    return tuple(sorted(versions.items()))


def toolchain() -> dict[str, str]:
    """Return name and version of everything that can change the last digit; `source` is a digest of the serving code.

    Loads torch, so only workers call it.
    """
    return dict(_toolchain())


def source_digest(package: Path) -> str:
    """Return 16 hex digits of a SHA-256 over the package's modules, except NOT_SERVING."""
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        if NOT_SERVING.isdisjoint(path.relative_to(package).with_suffix("").parts):
            digest.update(f"{path.relative_to(package).as_posix()}\n".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _version(distributions: tuple[str, ...]) -> str:
    for distribution in distributions:
        try:
            return metadata.version(distribution)
        except metadata.PackageNotFoundError:
            continue
    return "not installed"
