"""What every member of the ensemble keeps, whatever library stands behind it."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mlops.forecasting.models.catalog import LOGISTIC, MEMBER_NAMES, XGBOOST, member_class, tree_contributions
from mlops.forecasting.models.lstm_member import split_by_date
from mlops.forecasting.models.samples import Samples, samples_of_blocks
from mlops.forecasting.models.settings import MemberSettings, SequenceSettings
from mlops.forecasting.tests.small import LIGHT
from mlops.forecasting.types import FloatArray

SESSIONS, SYMBOLS, WIDTH, HORIZONS = 400, 4, 3, 4
every_member = pytest.mark.parametrize("name", MEMBER_NAMES)


def planted() -> tuple[Samples, FloatArray]:
    """Samples whose labels follow the first feature at every horizon but the last, which has no labels."""
    rng = np.random.default_rng(2)
    values = rng.standard_normal((SESSIONS, SYMBOLS, WIDTH))
    rows, columns = np.nonzero(np.ones((SESSIONS, SYMBOLS), dtype=bool))
    unchanged = rows >= 19
    samples = Samples(values, rows[unchanged], columns[unchanged])
    noise = rng.standard_normal((len(samples), HORIZONS))
    labels = (samples.latest()[:, :1] + 0.5 * noise > 0).astype(np.float64)
    labels[:, -1] = np.nan
    return samples, labels


@every_member
def test_a_planted_rule_is_learned(name: str) -> None:
    samples, labels = planted()
    settings = MemberSettings(
        seed=0, trees=LIGHT.trees, sequence=SequenceSettings(hidden=8, batch=32, learning_rate=0.02, dropout=0.0)
    )
    logits = member_class(name).fit(samples, labels, settings).logits(samples)
    right = ((logits[:, :3] > 0) == (labels[:, :3] > 0.5)).mean()
    # The sign of the first feature is the label in about 85 % of the rows: arctan(1 / 0.5) / pi + 1 / 2 = 0.852.
    assert right > 0.75
    assert logits.shape == (len(samples), HORIZONS)


@every_member
def test_the_same_seed_gives_the_same_bytes(name: str, tmp_path: Path) -> None:
    samples, labels = planted()
    written = []
    for attempt in ("one", "two"):
        folder = tmp_path / attempt
        folder.mkdir()
        member_class(name).fit(samples, labels, LIGHT).save(folder, "up.member")
        written.append({file.name: file.read_bytes() for file in folder.iterdir()})
    assert written[0] == written[1]
    assert written[0]


@every_member
def test_a_saved_member_forecasts_the_same(name: str, tmp_path: Path) -> None:
    samples, labels = planted()
    member = member_class(name).fit(samples, labels, LIGHT)
    member.save(tmp_path, "up.member")
    loaded = member_class(name).load(tmp_path, "up.member")
    np.testing.assert_array_equal(loaded.logits(samples), member.logits(samples))


@every_member
def test_later_rows_do_not_change_a_prediction(name: str) -> None:
    samples, labels = planted()
    member = member_class(name).fit(samples, labels, LIGHT)
    altered = samples.values.copy()
    altered[200:] += 5.0
    before = samples.rows < 200
    predicted = member.logits(samples.take(before))
    after = member.logits(Samples(altered, samples.rows, samples.columns).take(before))
    np.testing.assert_array_equal(predicted, after)
    assert len(predicted) == 181 * SYMBOLS


@every_member
def test_a_fit_reads_its_own_samples_and_nothing_after_them(name: str) -> None:
    samples, labels = planted()
    early = samples.rows < 200
    altered = samples.values.copy()
    altered[200:] = 7.0
    fits = [
        member_class(name).fit(Samples(values, samples.rows[early], samples.columns[early]), labels[early], LIGHT)
        for values in (samples.values, altered)
    ]
    predicted, repeated = (fit.logits(samples.take(early)) for fit in fits)
    np.testing.assert_array_equal(predicted, repeated)
    assert np.isfinite(predicted[:, 0]).all()


def test_early_stopping_uses_sessions_after_every_training_target() -> None:
    rows = np.random.default_rng(1).permutation(np.repeat(np.arange(100), 3))
    learn, check = split_by_date(rows, 0.2)
    # the last fifth begins with session 80; the target of session 59 over 20 sessions is 79
    assert (rows[learn].max(), rows[check].min(), len(check)) == (59, 80, 60)


def test_labels_that_are_not_known_teach_nothing() -> None:
    samples, labels = planted()
    hidden = labels.copy()
    hidden[samples.rows >= 300] = np.nan
    early = samples.rows < 300
    whole = member_class(XGBOOST).fit(samples.take(early), labels[early], LIGHT).logits(samples)
    masked = member_class(XGBOOST).fit(samples, hidden, LIGHT).logits(samples)
    np.testing.assert_array_equal(masked, whole)
    assert np.isfinite(whole[:, 0]).all()


@every_member
def test_no_samples_give_no_logits(name: str) -> None:
    samples, labels = planted()
    member = member_class(name).fit(samples, labels, LIGHT)
    assert member.logits(samples.take(np.array([], dtype=np.intp))).shape == (0, HORIZONS)


@every_member
def test_a_sample_alone_gets_the_same_bits_as_in_its_batch(name: str) -> None:
    samples, labels = planted()
    member = member_class(name).fit(samples, labels, LIGHT)
    whole = member.logits(samples)
    positions = np.arange(0, len(samples), 13)
    alone = np.concatenate([member.logits(samples.take(np.array([place]))) for place in positions])
    np.testing.assert_array_equal(alone, whole[positions])
    assert len(positions) > 100


def test_labels_of_one_kind_leave_the_rate() -> None:
    samples, labels = planted()
    labels[:, 0] = 1.0
    logits = member_class(LOGISTIC).fit(samples, labels, LIGHT).logits(samples)
    # (n + 0.5) / (n + 1) of n = 381 * 4 = 1524 rows: log odds = log(1524.5 / 0.5) = 8.0225.
    np.testing.assert_allclose(logits[:, 0], np.log(1524.5 / 0.5))


def test_contributions_and_bias_add_up_to_the_logit() -> None:
    samples, labels = planted()
    member = member_class(XGBOOST).fit(samples, labels, LIGHT)
    explained = tree_contributions(member, samples).sum(axis=2)
    bias = member.logits(samples) - explained
    assert np.ptp(bias[:, 0]) < 1e-5
    assert explained[:, 0].std() > 0.1


def test_only_the_trees_have_exact_contributions() -> None:
    samples, labels = planted()
    member = member_class(LOGISTIC).fit(samples, labels, LIGHT)
    with pytest.raises(TypeError, match="LogisticMember"):
        tree_contributions(member, samples)


def test_a_block_is_one_sample_with_its_own_window() -> None:
    blocks = np.arange(2 * 20 * 3, dtype=np.float64).reshape(2, 20, 3)
    samples = samples_of_blocks(blocks)
    np.testing.assert_array_equal(samples.windows(slice(None)), blocks)
    np.testing.assert_array_equal(samples.latest(), blocks[:, -1])


def test_a_member_reads_only_its_features() -> None:
    values = np.arange(24.0 * 2 * 3).reshape(24, 2, 3)
    samples = Samples(values, np.array([20, 23]), np.array([0, 1])).seeing(np.array([2, 0]))
    assert samples.width == 2
    np.testing.assert_array_equal(samples.latest(), [values[20, 0, [2, 0]], values[23, 1, [2, 0]]])
    np.testing.assert_array_equal(samples.take(np.array([1])).windows(slice(None))[0], values[4:, 1][:, [2, 0]])


def test_importing_the_numerics_loads_no_learning_library() -> None:
    program = (
        "import sys, mlops.forecasting.fitting, mlops.forecasting.serving, mlops.forecasting.storage; "
        "print([name for name in ('torch', 'xgboost', 'sklearn') if name in sys.modules])"
    )
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"
