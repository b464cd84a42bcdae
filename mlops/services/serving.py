"""Forecasts by registered versions; verified files are loaded once per process."""

from collections import OrderedDict
from datetime import date
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
_bundles: OrderedDict[tuple[str, str, Fit], Bundle] = OrderedDict()
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
    key = (version.version, version.artifact_sha256, fit)
    with _loading:
        if key not in _bundles:
            _bundles[key] = load_bundle_checked(version, fit)
            while len(_bundles) > BUNDLE_CACHE_SIZE:
                _bundles.popitem(last=False)
        _bundles.move_to_end(key)
        return _bundles[key]


def clear_bundle_cache() -> None:
    """Clear the cache, so that the next forecast loads and verifies the files again."""
    with _loading:
        _bundles.clear()


def load_bundle_checked(version: ModelVersion, fit: str) -> Bundle:
    """Load the version's model after verifying its files. Raises ArtifactCorrupt."""
    try:
        folder = artifacts.verify(
            root=artifacts.default_root(), name=version.artifact_path, sha256=version.artifact_sha256
        )
        bundle = load_bundle(folder / fit)
    except BundleUnreadable as error:
        log.error("artifact_corrupt", version=version.version, reason=error.reason)
        raise ArtifactCorrupt(version.version, error.reason) from error
    except ArtifactCorrupt as error:
        log.error("artifact_corrupt", version=version.version, reason=error.reason)
        raise
    log.info("bundle_loaded", version=version.version, fit=fit)
    return bundle
