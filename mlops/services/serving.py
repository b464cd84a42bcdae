"""Forecasts by registered versions; verified files are loaded once per process."""

from datetime import date
from functools import lru_cache
from threading import Lock
from typing import Literal

import structlog

from mlops import artifacts
from mlops.errors import ArtifactCorrupt
from mlops.forecasting.bundle import Bundle
from mlops.forecasting.errors import BundleUnreadable
from mlops.forecasting.serving import InstrumentForecast, forecast_panel
from mlops.forecasting.storage import load_bundle
from mlops.forecasting.types import Panel
from mlops.models import ModelVersion

log = structlog.get_logger(__name__)

Fit = Literal["serving", "holdout"]

BUNDLE_CACHE_SIZE = 4
_loading = Lock()


def forecasts_from(
    *, version: ModelVersion, panel: Panel, origin: date, fit: Fit = "serving"
) -> list[InstrumentForecast]:
    """Return the version's forecasts for every symbol of `panel` and every horizon, from the close of `origin`.

    Raises ArtifactCorrupt if the version's files differ from the registered ones.
    """
    return forecast_panel(bundle_of(version, fit), panel, origin=origin)


def bundle_of(version: ModelVersion, fit: Fit) -> Bundle:
    """Return the version's model, cached by checksum in this process. Raises ArtifactCorrupt."""
    with _loading:
        return _cached_bundle(version.version, version.artifact_path, version.artifact_sha256, fit)


def load_bundle_checked(version: ModelVersion, fit: str) -> Bundle:
    """Load the version's model after verifying its files. Raises ArtifactCorrupt."""
    return _load(version.version, version.artifact_path, version.artifact_sha256, fit)


def _load(version: str, path: str, sha256: str, fit: str) -> Bundle:
    try:
        bundle = load_bundle(artifacts.verify(root=artifacts.default_root(), name=path, sha256=sha256) / fit)
    except (BundleUnreadable, ArtifactCorrupt) as error:
        log.error("artifact_corrupt", version=version, reason=error.reason)
        raise ArtifactCorrupt(version, error.reason) from error
    log.info("bundle_loaded", version=version, fit=fit)
    return bundle


_cached_bundle = lru_cache(maxsize=BUNDLE_CACHE_SIZE)(_load)
