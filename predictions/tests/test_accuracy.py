"""Sums of the record: additions, moving windows, and equality of stepwise and single updates."""

from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import IntegrityError, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from marketdata.calendars import session_after, sessions_between
from marketdata.models import Instrument
from mlops.models import ModelVersion
from predictions.models import AccuracyDay, AccuracySnapshot, Forecast, Outcome, ScoringProgress
from predictions.models.accuracy_totals import BIN_TOTALS, SCALAR_TOTALS
from predictions.readpath.rendering import forecast_payloads
from predictions.selectors.track_record import track_records
from predictions.services.accuracy import rebuild_accuracy, update_accuracy
from predictions.services.scoring import build_outcome
from predictions.tests.factories import NOW, TARGET, forecast, model_version, stock

pytestmark = pytest.mark.django_db

SUMS = (*SCALAR_TOTALS, *BIN_TOTALS)
DAY_KEY = ("model_version_id", "kind", "horizon_sessions", "target")
SNAPSHOT_KEY = ("model_version_id", "kind", "horizon_sessions", "instrument_id", "window_days")
SESSIONS = sessions_between("XNYS", date(2022, 6, 1), date(2023, 9, 21))


@pytest.fixture
def apple() -> Instrument:
    model_version()
    return stock()


def met(scored_forecast: Forecast, close: str, **fields: Any) -> Outcome:
    """The first outcome of a forecast, given the close."""
    outcome = build_outcome(scored_forecast, Decimal(close), revision=0, now=NOW)
    for name, value in fields.items():
        setattr(outcome, name, value)
    outcome.save()
    return outcome


def snapshot(window: int = 0, **scope: Any) -> AccuracySnapshot:
    whole = {"instrument": None, "model_version": None, "kind": "live", "horizon_sessions": 5}
    return AccuracySnapshot.objects.get(window_days=window, **(whole | scope))


def everything() -> tuple[list[Any], list[Any]]:
    """All sums there are, in an order of their own."""
    days = AccuracyDay.objects.values_list(*DAY_KEY, *SUMS)
    windows = AccuracySnapshot.objects.values_list(*SNAPSHOT_KEY, *SUMS, "verdict", "needed_n")
    return sorted(map(repr, days)), sorted(map(repr, windows))


def test_every_sum_of_two_forecasts(apple: Instrument) -> None:
    # Said 102 from 100 with P(up) .56, inside 80 % from 99 to 105. The first closes at 104, the second at 98.
    met(forecast(apple, signal="BUY", signal_meaning="rise"), "104", call_right=True, volatility_rose=True)
    met(forecast(stock("META"), signal="SELL", signal_meaning="risk"), "98", call_right=False, volatility_rose=False)
    assert update_accuracy(now=NOW).counted == 2
    both = snapshot()
    counts = {name: getattr(both, name) for name in SCALAR_TOTALS[:18]}
    assert counts == {
        "n": 2, "hits": 1, "ups": 1, "predicted_up": 2, "predicted_up_hits": 1, "inside_80": 1, "inside_95": 2,
        "inside_99": 2,
        "buys": 1, "buy_hits": 1, "sells": 1, "sell_hits": 0, "volatility_calls": 2, "volatility_hits": 1,
        "volatility_rises": 1, "risks": 1, "risk_hits": 0, "big_moves": 0,
    }  # fmt: skip
    # (.56 - 1)^2 + .56^2 = .1936 + .3136; -ln .56 - ln .44 = .579818 + .820981
    assert both.brier == Decimal("0.5072")
    assert float(both.log_loss) == pytest.approx(1.400799, abs=1e-6)
    # Off by 2 and 4 of 100, the last price by 4 and 2: .06 and .06; squares .0004 + .0016 and .0016 + .0004.
    assert (both.absolute_error, both.absolute_naive) == (Decimal("0.06"), Decimal("0.06"))
    assert (both.squared_error, both.squared_naive) == (Decimal("0.002"), Decimal("0.002"))
    # .56 lies between .55 and .575, the seventh of ten bins.
    assert both.bin_n == [0, 0, 0, 0, 0, 0, 2, 0, 0, 0]
    assert both.bin_ups == [0, 0, 0, 0, 0, 0, 1, 0, 0, 0]
    assert both.bin_probability[6] == Decimal("1.12")
    alone = snapshot(instrument=apple)
    assert (alone.n, alone.hits, alone.verdict) == (1, 1, "")


def test_kinds_versions_and_horizons_are_never_mixed(apple: Instrument) -> None:
    second = model_version("v2", stage=ModelVersion.Stage.CANDIDATE)
    first = ModelVersion.objects.get(version="v1")
    met(forecast(apple, model_version=first), "104")
    met(forecast(stock("META"), model_version=second), "98")
    met(forecast(apple, model_version=first, horizon_sessions=10), "98")
    met(forecast(apple, model_version=first, kind="hindcast"), "98")
    met(forecast(apple, model_version=second, kind="republished"), "98")
    update_accuracy(now=NOW)
    record = {
        (row.kind, row.horizon_sessions, row.model_version_id): (row.n, row.hits)
        for row in AccuracySnapshot.objects.filter(instrument=None, window_days=0)
    }
    assert record == {
        ("live", 5, None): (2, 1), ("live", 5, first.pk): (1, 1), ("live", 5, second.pk): (1, 0),
        ("live", 10, None): (1, 0), ("live", 10, first.pk): (1, 0),
        ("hindcast", 5, None): (1, 0), ("hindcast", 5, first.pk): (1, 0),
        # What a later version repeats counts as its own, never among all versions.
        ("republished", 5, second.pk): (1, 0),
    }  # fmt: skip


def test_corrections_do_not_count(apple: Instrument) -> None:
    scored_forecast = forecast(apple)
    met(scored_forecast, "104")
    update_accuracy(now=NOW)
    build_outcome(scored_forecast, Decimal("90"), revision=1, now=NOW).save()
    assert update_accuracy(now=NOW).counted == 0
    assert (snapshot().n, snapshot().hits) == (1, 1)


def test_a_window_loses_what_is_too_old_and_all_time_keeps_it(apple: Instrument) -> None:
    met(forecast(apple), "104")
    update_accuracy(now=NOW, through=TARGET)
    assert [snapshot(window).n for window in (30, 90, 365, 0)] == [1, 1, 1, 1]
    # 21 September is within 30 days up to 20 October, which are 21 September to 20 October, and no longer.
    update_accuracy(now=NOW, through=TARGET + timedelta(days=29))
    assert snapshot(30).n == 1
    update_accuracy(now=NOW, through=TARGET + timedelta(days=30))
    assert not AccuracySnapshot.objects.filter(window_days=30).exists()
    assert [snapshot(window).n for window in (90, 365, 0)] == [1, 1, 1]


def test_windows_never_go_back(apple: Instrument) -> None:
    met(forecast(apple), "104")
    update_accuracy(now=NOW, through=TARGET + timedelta(days=60))
    update_accuracy(now=NOW, through=TARGET)
    assert ScoringProgress.objects.get().as_of == TARGET + timedelta(days=60)
    assert not AccuracySnapshot.objects.filter(window_days=30).exists()


def test_a_second_update_changes_nothing(apple: Instrument) -> None:
    met(forecast(apple), "104")
    update_accuracy(now=NOW)
    before = everything()
    later = NOW + timedelta(days=1)
    assert update_accuracy(now=later).counted == 0
    assert everything() == before
    assert ScoringProgress.objects.get().updated_at == NOW


def test_the_verdict_states_the_needed_sample(apple: Instrument) -> None:
    met(forecast(apple), "104")
    update_accuracy(now=NOW)
    assert (snapshot().verdict, snapshot().needed_n) == ("not enough evidence", 300)


def test_the_record_of_a_forecast_is_read_at_once_for_any_number(
    apple: Instrument, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    meta = stock("META")
    scored_forecast = [forecast(apple), forecast(meta)]
    met(scored_forecast[0], "104")
    met(scored_forecast[1], "90")
    update_accuracy(now=NOW)
    with django_assert_num_queries(1):
        record = track_records([("live", 5, apple.pk), ("live", 5, meta.pk)])
    # AAPL rose and was right, META fell out of every interval.
    both = {"accuracy": 0.5, "base_rate": 0.5, "n": 2, "coverage_95": 0.5}
    verdict = {"kind": "live", "verdict": "not enough evidence", "needed_n": 300}
    assert record["live", 5, apple.pk] == {
        **both, **verdict, "symbol": {"accuracy": 1.0, "base_rate": 1.0, "n": 1, "coverage_95": 1.0}
    }  # fmt: skip
    assert record["live", 5, meta.pk]["symbol"] == {"accuracy": 0.0, "base_rate": 0.0, "n": 1, "coverage_95": 0.0}
    assert forecast_payloads(scored_forecast[:1], stale=False, now=NOW)[0]["record"] == record["live", 5, apple.pk]


def test_without_scores_the_need_follows_from_the_number_of_stocks(apple: Instrument) -> None:
    for number in range(9):
        stock(f"X{number}")
    record = track_records([("live", 5, apple.pk), ("live", 20, apple.pk)])
    # Ten stocks: 100 sessions at 5, 400 at 20.
    assert [record["live", horizon, apple.pk]["needed_n"] for horizon in (5, 20)] == [1000, 4000]


def test_the_database_refuses_a_verdict_on_one_stock(apple: Instrument) -> None:
    scope = {"instrument": apple, "kind": "live", "horizon_sessions": 5, "window_days": 0}
    with pytest.raises(IntegrityError, match="accuracy_verdict_on_all_stocks_only"), transaction.atomic():
        AccuracySnapshot.objects.create(verdict="skill", **scope)
    AccuracySnapshot.objects.create(**scope)
    with pytest.raises(IntegrityError, match="accuracy_snapshot_once"), transaction.atomic():
        AccuracySnapshot.objects.create(**scope)


def test_rebuilding_an_empty_record_is_reported() -> None:
    out = StringIO()
    call_command("rebuild_accuracy", stdout=out)
    assert "No outcomes are stored yet" in out.getvalue()


def test_altered_totals_are_counted_and_restored(apple: Instrument) -> None:
    met(forecast(apple), "94")
    update_accuracy(now=NOW)
    assert rebuild_accuracy(now=NOW).differing == 0
    # One of one forecast right, on the day and in the windows of all stocks and versions.
    AccuracyDay.objects.filter(model_version=None).update(hits=1)
    AccuracySnapshot.objects.filter(model_version=None, instrument=None).update(hits=1)
    met(forecast(stock("META")), "104")
    out = StringIO()
    call_command("rebuild_accuracy", stdout=out)
    assert out.getvalue().startswith("2 outcomes counted")
    # The day, and the windows of 30, 90 and 365 days and of all time.
    assert "5 rows changed." in out.getvalue()
    assert (snapshot().n, snapshot().hits) == (2, 1)
    assert rebuild_accuracy(now=NOW).differing == 0


OutcomeSpec = tuple[int, str, int, str, str]
OUTCOME_SPECS = st.tuples(
    st.integers(0, len(SESSIONS) - 1),
    st.sampled_from(["AAPL", "META"]),
    st.sampled_from([1, 5]),
    st.sampled_from(["late", "hindcast"]),
    st.sampled_from(["90", "99.5", "100", "103", "120"]),
)


def stored(record: Iterable[OutcomeSpec], instruments: dict[str, Instrument]) -> None:
    for place, symbol, horizon, kind, close in record:
        fields = {"kind": kind, "probability_up": Decimal("0.40") + Decimal(place % 25) / 100}
        origin = session_after("XNYS", SESSIONS[place], -horizon)
        met(forecast(instruments[symbol], horizon_sessions=horizon, origin=origin, **fields), close)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.tuples(st.lists(OUTCOME_SPECS, max_size=6), st.integers(0, len(SESSIONS) - 1)), min_size=1, max_size=4
    )
)
def test_stepwise_sums_equal_one_update_and_a_manual_sum(steps: list[tuple[list[OutcomeSpec], int]]) -> None:
    with transaction.atomic():
        model_version()
        instruments = {symbol: stock(symbol) for symbol in ("AAPL", "META")}
        seen: set[tuple[int, str, int, str]] = set()
        for record, end in steps:
            fresh = [one for one in {row[:4]: row for row in record}.values() if one[:4] not in seen]
            seen |= {one[:4] for one in fresh}
            stored(fresh, instruments)
            update_accuracy(now=NOW, through=SESSIONS[end])
        in_steps = everything()
        call_command("rebuild_accuracy", stdout=StringIO())
        assert everything() == in_steps
        _agrees_with_rows()
        transaction.set_rollback(True)


def _agrees_with_rows() -> None:
    """Windows equal the sums of their days, computed from the outcomes."""
    as_of = ScoringProgress.objects.get().as_of
    assert as_of is not None
    for window in (30, 90, 365, 0):
        rows = Outcome.objects.filter(revision=0, forecast__kind="late", forecast__horizon_sessions=5)
        if window:
            rows = rows.filter(forecast__target__gt=as_of - timedelta(days=window))
        snapshot_row = AccuracySnapshot.objects.filter(
            kind="late", horizon_sessions=5, window_days=window, instrument=None, model_version=None
        ).first()
        counted = (
            (snapshot_row.n, snapshot_row.hits, snapshot_row.ups, sum(snapshot_row.bin_n))
            if snapshot_row
            else (0, 0, 0, 0)
        )
        assert counted == (
            len(rows), sum(bool(row.direction_right) for row in rows), sum(row.went_up for row in rows), len(rows)
        )  # fmt: skip
