"""Grid search of tree settings on purged time-series splits."""

from dataclasses import replace

import numpy as np
from sklearn.model_selection import GridSearchCV

from mlops.forecasting.errors import TooLittleHistory
from mlops.forecasting.models.samples import Samples
from mlops.forecasting.models.settings import MemberSettings, TreeSettings
from mlops.forecasting.models.xgboost_member import classifier_of
from mlops.forecasting.splits import purged_splits
from mlops.forecasting.types import FloatArray

FOLDS = 3
MOST_ROWS = 40_000


def grid_search_trees(samples: Samples, labels: FloatArray, settings: MemberSettings, *, gap: int) -> TreeSettings:
    """Return the settings with the best mean log-loss on later dates.

    labels: shape (n,), NaN where not known; gap: sessions left out between training and testing dates, at least the
    horizon of the labels. Folds are cut by session, so no session is on both sides. Returns the settings given when
    there is too little to search on.
    """
    known = np.flatnonzero(np.isfinite(labels))
    known = known[:: max(1, -(-len(known) // MOST_ROWS))]
    try:
        folds = purged_splits(samples.rows[known], horizon=gap, folds=FOLDS)
    except TooLittleHistory:
        return settings.trees
    if any(len(np.unique(labels[known[side]])) < 2 for fold in folds for side in fold):
        return settings.trees
    search = GridSearchCV(
        classifier_of(settings.trees, seed=settings.seed, threads=settings.threads),
        grid_around(settings.trees),
        scoring="neg_log_loss",
        cv=folds,
        refit=False,
        n_jobs=1,
    )
    search.fit(samples.latest()[known], labels[known])
    return replace(settings.trees, **search.best_params_)


def grid_around(trees: TreeSettings) -> dict[str, list[float]]:
    """Return a grid of eight: one level deeper, smaller steps, heavier leaves."""
    return {
        "max_depth": [trees.max_depth, trees.max_depth + 1],
        "learning_rate": [trees.learning_rate * 0.6, trees.learning_rate],
        "min_child_weight": [trees.min_child_weight, trees.min_child_weight * 2],
    }
