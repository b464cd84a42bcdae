"""`/history/{symbol}` and `/metrics`: what they tell, page by page, as a table, and what they refuse."""

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it ships no types
from pytest_django import DjangoAssertNumQueries, Settings

from marketdata.calendars import session_after
from marketdata.models import Instrument
from mlops.models import ModelVersion
from predictions.api import record_serializers
from predictions.models import Forecast
from predictions.selectors.history import COLUMNS
from predictions.services.accuracy import update_accuracy
from predictions.services.scoring import build_outcome, score_matured
from predictions.tests.factories import NOW, ORIGIN, TARGET, abstention, bar, forecast, forecasts, model_version, stock

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("empty_store")]

HISTORY, METRICS = "/api/v1/history/AAPL", "/api/v1/metrics"
Ask = Callable[..., Any]


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    generated: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
    return generated


@pytest.fixture
def ask(client: Client, settings: Settings) -> Ask:
    settings.HINDCAST_LIMITS = replace(settings.HINDCAST_LIMITS, anonymous_per_minute=1000)
    return client.get


@pytest.fixture
def apple() -> Instrument:
    model_version()
    return stock()


def judge(schema: dict[str, Any], path: str, status: str = "200") -> Draft202012Validator:
    """Validates a body against the schema of that call and status."""
    content = schema["paths"][path]["get"]["responses"][status]["content"]
    kind = "application/json" if status == "200" else "application/problem+json"
    return Draft202012Validator({**content[kind]["schema"], "components": schema["components"]})


def met(stored_rows: Forecast, close: str, revision: int = 0) -> None:
    build_outcome(stored_rows, Decimal(close), revision=revision, now=NOW).save()


def three_kinds(apple: Instrument) -> list[Forecast]:
    """A live forecast that was right and was corrected, a hindcast that was wrong, a repetition, and one to come."""
    live, coming = forecast(apple), forecast(apple, horizon_sessions=20)
    past, again = (forecast(apple, kind=kind) for kind in ("hindcast", "republished"))
    met(live, "104")
    met(past, "94")
    met(again, "104")
    met(live, "103", revision=1)
    update_accuracy(now=NOW, through=TARGET)
    return [live, past, again, coming]


def test_a_forecast_is_listed_with_its_outcome(apple: Instrument, ask: Ask, schema: dict[str, Any]) -> None:
    live, past, _, coming = three_kinds(apple)
    body = ask(HISTORY).json()
    judge(schema, "/api/v1/history/{symbol}").validate(body)
    assert [row["id"] for row in body["forecasts"]] == [coming.pk, live.pk, past.pk]
    assert (body["symbol"], body["as_of"], body["days"], body["horizon"]) == ("AAPL", "2023-09-21", 30, None)
    row = body["forecasts"][1]
    returned = {name: row[name] for name in ("kind", "predicted_price", "actual_price", "error", "corrected_price")}
    assert returned == {
        "kind": "live", "predicted_price": 102.0, "actual_price": 104.0, "error": -2.0, "corrected_price": 103.0
    }  # fmt: skip
    assert (row["direction_right"], row["inside_80"], row["inside_95"]) == (True, True, True)
    waiting = body["forecasts"][0]
    assert (waiting["target_date"], waiting["actual_price"], waiting["inside_80"]) == ("2023-10-12", None, None)
    missed = body["forecasts"][2]
    assert (missed["kind"], missed["direction_right"], missed["inside_95"], missed["inside_99"]) == (
        "hindcast", False, False, True
    )  # fmt: skip


def test_the_accuracy_of_a_stock_is_separate_by_kind(apple: Instrument, ask: Ask) -> None:
    three_kinds(apple)
    returned = ask(HISTORY).json()["accuracy"]
    assert (returned["window"], returned["late"]["n"]) == ("30", 0)
    assert (returned["live"]["n"], returned["live"]["accuracy"], returned["live"]["coverage"]["95"]) == (1, 1.0, 1.0)
    assert (returned["hindcast"]["n"], returned["hindcast"]["accuracy"], returned["hindcast"]["coverage"]["95"]) == (
        1,
        0.0,
        0.0,
    )
    only = ask(f"{HISTORY}?kind=republished").json()
    assert [row["kind"] for row in only["forecasts"]] == ["republished"]
    assert {only["accuracy"][kind] for kind in ("live", "late", "hindcast")} == {None}


def test_republished_forecasts_count_for_their_version_only(
    apple: Instrument, ask: Ask, schema: dict[str, Any]
) -> None:
    three_kinds(apple)
    assert ask(METRICS).json()["scored"] == {"live": 1, "late": 0, "republished": 1, "hindcast": 1}
    own = ask(f"{METRICS}?kind=republished&version=v1").json()
    judge(schema, METRICS).validate(own)
    assert (own["total_predictions"], own["accuracy"]) == (1, 1.0)
    assert ask(f"{METRICS}?kind=live&version=v1").json()["total_predictions"] == 1
    assert ask(f"{METRICS}?kind=republished").json() == own


def test_late_forecasts_are_scored_and_never_in_the_live_record(apple: Instrument, ask: Ask) -> None:
    met(forecast(apple, kind="late"), "104")
    update_accuracy(now=NOW, through=TARGET)
    body = ask(METRICS).json()
    assert (body["kind"], body["total_predictions"], body["scored"]["live"]) == ("late", 1, 0)
    assert ask(f"{METRICS}?kind=live").json()["total_predictions"] == 0
    listed = ask(HISTORY).json()
    assert [(row["kind"], row["live_until"]) for row in listed["forecasts"]] == [("late", "2023-09-15T13:30:00Z")]
    assert (listed["accuracy"]["late"]["n"], listed["accuracy"]["live"]["n"]) == (1, 0)


@pytest.mark.parametrize(("days", "window"), [(1, "30"), (30, "30"), (31, "90"), (365, "365"), (366, "all")])
def test_the_figures_are_those_of_the_window_with_the_days(apple: Instrument, ask: Ask, days: int, window: str) -> None:
    assert ask(f"{HISTORY}?days={days}").json()["accuracy"]["window"] == window


def test_days_and_horizon_choose(apple: Instrument, ask: Ask) -> None:
    old = forecast(apple, origin=date(2023, 8, 1))
    three_kinds(apple)
    assert old.pk not in [row["id"] for row in ask(HISTORY).json()["forecasts"]]
    assert old.pk in [row["id"] for row in ask(f"{HISTORY}?days=90").json()["forecasts"]]
    assert {row["horizon"] for row in ask(f"{HISTORY}?horizon=20").json()["forecasts"]} == {20}


def test_an_abstention_is_listed_without_numbers(apple: Instrument, ask: Ask, schema: dict[str, Any]) -> None:
    abstention(apple)
    body = ask(f"{HISTORY}?days=365").json()
    judge(schema, "/api/v1/history/{symbol}").validate(body)
    (row,) = body["forecasts"]
    assert (row["status"], row["predicted_price"], row["signal"]) == ("abstained", None, None)


def test_pages_follow_one_another_without_a_gap(apple: Instrument, ask: Ask) -> None:
    origins = [session_after("XNYS", ORIGIN, -back) for back in reversed(range(7))]
    for origin in origins:
        forecasts([apple], horizons=(1, 5, 20), origin=origin)
    for origin in origins:
        forecasts([apple], horizons=(5,), origin=origin, kind="hindcast")
    whole = [row["id"] for row in ask(f"{HISTORY}?days=365&limit=1000").json()["forecasts"]]
    assert len(whole) == 28
    for limit in (1, 3, 28):
        paged: list[int] = []
        address: str | None = f"{HISTORY}?days=365&limit={limit}"
        while address:
            answer = ask(address)
            body = answer.json()
            paged += [row["id"] for row in body["forecasts"]]
            address = body["next"]
            assert answer.get("Link") == (f'<{address}>; rel="next"' if address else None)
        assert paged == whole


@pytest.mark.parametrize("way", [{"headers": {"accept": "text/csv"}}, {"query_params": {"format": "csv"}}])
def test_history_is_available_as_csv(apple: Instrument, ask: Ask, way: dict[str, Any]) -> None:
    three_kinds(apple)
    answer = ask(HISTORY, **way)
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(StringIO(answer.content.decode())))
    assert [*rows[0]] == list(COLUMNS)
    assert [(row["kind"], row["actual_price"]) for row in rows] == [
        ("live", ""),
        ("live", "104.0"),
        ("hindcast", "94.0"),
    ]
    assert [row["recorded_at"] for row in rows] == [row["recorded_at"] for row in ask(HISTORY).json()["forecasts"]]


def test_an_unchanged_newest_answer_is_304(apple: Instrument, ask: Ask) -> None:
    three_kinds(apple)
    for path in (HISTORY, METRICS):
        tag = ask(path)["ETag"]
        assert ask(path, headers={"if-none-match": tag}).status_code == 304
    met(forecast(apple, horizon_sessions=1, kind="late"), "90")
    update_accuracy(now=NOW + timedelta(days=1))
    assert ask(METRICS, headers={"if-none-match": tag}).status_code == 200


@pytest.mark.parametrize(
    ("path", "status", "kind"),
    [
        (f"{HISTORY}?days=0", 400, "invalid-request"),
        (f"{HISTORY}?days=ten", 400, "invalid-request"),
        (f"{HISTORY}?horizon=3", 400, "invalid-request"),
        (f"{HISTORY}?kind=dream", 400, "invalid-request"),
        (f"{HISTORY}?limit=1001", 400, "invalid-request"),
        (f"{HISTORY}?cursor=2023-99-99.5.live.1", 400, "invalid-request"),
        (f"{HISTORY}?days=5&days=6", 400, "invalid-request"),
        ("/api/v1/history/ZZZZ", 404, "unknown-symbol"),
        ("/api/v1/history/A PL", 400, "malformed-symbol"),
        (f"{METRICS}?window=31", 400, "invalid-request"),
        (f"{METRICS}?horizon=2", 400, "invalid-request"),
        (f"{METRICS}?kind=all", 400, "invalid-request"),
        (f"{METRICS}?version=v99", 404, "unknown-version"),
    ],
)
def test_an_unanswerable_call_is_a_problem(
    apple: Instrument, ask: Ask, schema: dict[str, Any], path: str, status: int, kind: str
) -> None:
    answer = ask(path)
    assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json")
    assert answer.json()["type"].endswith(kind)
    route = "/api/v1/metrics" if path.startswith(METRICS) else "/api/v1/history/{symbol}"
    judge(schema, route, str(status)).validate(answer.json())


def test_metrics_of_an_empty_record(ask: Ask, schema: dict[str, Any]) -> None:
    body = ask(METRICS).json()
    judge(schema, METRICS).validate(body)
    assert (body["total_predictions"], body["accuracy"], body["last_updated"], body["over_time"]) == (0, None, None, [])


def test_metrics_match_figures_computed_by_hand(apple: Instrument, ask: Ask, schema: dict[str, Any]) -> None:
    # Of four live forecasts of a rise over 5 sessions three rose; one over 1 session fell.
    stocks = [apple, *(stock(symbol) for symbol in ("META", "NVDA", "GOOG"))]
    for stored_rows, close in zip(forecasts(stocks), ("101", "103", "110", "99"), strict=True):
        met(stored_rows, close)
    met(forecast(apple, horizon_sessions=1), "90")
    update_accuracy(now=NOW, through=TARGET)
    body = ask(f"{METRICS}?horizon=5").json()
    judge(schema, METRICS).validate(body)
    returned = {
        name: body[name] for name in ("accuracy", "base_rate", "precision", "recall", "f1", "total_predictions")
    }
    # "Up" was predicted four times and correct three times: precision .75, all rises were found, f1 = 2 * .75 / 1.75.
    assert returned == {
        "accuracy": 0.75, "base_rate": 0.75, "precision": 0.75, "recall": 1.0, "f1": 0.857143, "total_predictions": 4
    }  # fmt: skip
    # 101, 103 lie in 99..105, 99 on its bound; 110 is above 109 and below 115.
    assert body["coverage"] == {"80": 0.75, "95": 0.75, "99": 1.0}
    # (.44^2 * 3 + .56^2) / 4, against .75 * .25.
    assert (body["brier"], body["brier_skill"]) == (0.2236, round(1 - 0.2236 / 0.1875, 6))
    assert body["calibration"] == [
        {"lower": 0.55, "upper": 0.575, "n": 4, "mean_probability": 0.56, "share_up": 0.75}
    ]  # fmt: skip
    assert [(row["horizon"], row["n"], row["accuracy"]) for row in body["by_horizon"]] == [(1, 1, 0.0), (5, 4, 0.75)]
    assert {row["verdict"] for row in body["by_horizon"]} == {"not enough evidence"}
    assert [(row["model_version"], row["n"]) for row in body["by_model"]] == [("v1", 4)]
    assert [(row["window"], row["n"]) for row in body["by_window"]] == [("30", 4), ("90", 4), ("365", 4), ("all", 4)]
    assert [(row["first"], row["n"], row["accuracy"]) for row in body["over_time"]] == [("2023-09-21", 4, 0.75)]
    together = ask(METRICS).json()
    assert (together["total_predictions"], together["accuracy"], together["horizon"]) == (5, 0.6, None)


def test_signals_are_compared_with_all_stocks_of_their_sessions(
    apple: Instrument, ask: Ask, schema: dict[str, Any]
) -> None:
    others = [stock(symbol) for symbol in ("META", "NVDA", "GOOG")]
    days = {
        ORIGIN: [("101", "BUY", "rise"), ("103", "SELL", "lag"), ("110", "SELL", "risk"), ("99", "BUY", "rise")],
        date(2023, 6, 1): [("104", "BUY", "rise"), ("94", "HOLD", ""), ("93", "HOLD", "")],
    }
    right = {"101": True, "103": False, "110": True, "99": False, "104": True}
    for origin, stored_rows in sorted(days.items()):
        for one, (close, signal, meaning) in zip([apple, *others], stored_rows, strict=False):
            made = forecast(one, origin=origin, signal=signal, signal_meaning=meaning)
            outcome = build_outcome(made, Decimal(close), revision=0, now=NOW)
            outcome.call_right = right.get(close)
            outcome.save()
    update_accuracy(now=NOW, through=TARGET)
    body = ask(f"{METRICS}?horizon=5").json()
    judge(schema, METRICS).validate(body)
    # Three of four rose in September, one of three in June: (2 * 3/4 + 1/3) / 3. One of four moved by more than 5 %.
    assert body["calls"] == {
        "buy": {"n": 3, "accuracy": 0.666667, "base_rate_same_day": 0.611111, "lift_same_day": 0.055556},
        "sell_lag": {"n": 1, "accuracy": 0.0, "base_rate_same_day": 0.5, "lift_same_day": -0.5},
        "sell_risk": {"n": 1, "accuracy": 1.0, "base_rate_same_day": 0.25, "lift_same_day": 0.75},
    }
    recent = ask(f"{METRICS}?horizon=5&window=30").json()["calls"]["buy"]
    assert recent == {"n": 2, "accuracy": 0.5, "base_rate_same_day": 0.75, "lift_same_day": -0.25}


def test_forecasts_of_a_delisted_stock_are_counted_as_overdue(
    apple: Instrument, ask: Ask, schema: dict[str, Any]
) -> None:
    forecasts([apple, stock("GONE")])
    bar(apple, TARGET, "104")
    score_matured(now=NOW)
    update_accuracy(now=NOW)
    # On its session's evening a closing price may still come.
    assert ask(METRICS).json()["overdue"] == dict.fromkeys(Forecast.Kind.values, 0)
    bar(apple, session_after(apple.mic, TARGET, 1), "105")
    update_accuracy(now=NOW)
    body = ask(METRICS).json()
    judge(schema, METRICS).validate(body)
    assert (body["overdue"], body["scored"]["live"]) == (dict.fromkeys(Forecast.Kind.values, 0) | {"live": 1}, 1)


def test_the_cursor_of_the_example_is_one() -> None:
    examples = json.loads((Path(record_serializers.__file__).parent / "examples.json").read_text(encoding="utf-8"))
    assert record_serializers.CURSOR.fullmatch(examples["history"]["next_cursor"])


def test_hindcasts_are_the_default_until_a_live_forecast_is_scored(apple: Instrument, ask: Ask) -> None:
    live, past = forecast(apple), forecast(apple, kind="hindcast")
    met(past, "94")
    update_accuracy(now=NOW, through=TARGET)
    before = ask(METRICS).json()
    assert (before["kind"], before["total_predictions"], before["accuracy"]) == ("hindcast", 1, 0.0)
    met(live, "104")
    update_accuracy(now=NOW, through=TARGET)
    after = ask(METRICS).json()
    assert (after["kind"], after["total_predictions"], after["accuracy"]) == ("live", 1, 1.0)
    assert after["scored"] == dict.fromkeys(Forecast.Kind.values, 0) | {"live": 1, "hindcast": 1}
    assert ask(f"{METRICS}?kind=hindcast").json()["accuracy"] == 0.0


def test_metrics_of_one_version_and_one_window(apple: Instrument, ask: Ask) -> None:
    first = ModelVersion.objects.get()
    second = model_version("v2", stage=ModelVersion.Stage.RETIRED)
    met(forecast(apple, model_version=first, origin=date(2023, 6, 1)), "104")
    met(forecast(apple, model_version=second), "94")
    update_accuracy(now=NOW, through=TARGET)
    assert ask(f"{METRICS}?version=v1").json()["accuracy"] == 1.0
    assert [row["model_version"] for row in ask(METRICS).json()["by_model"]] == ["v2", "v1"]
    recent = ask(f"{METRICS}?window=30").json()
    assert (recent["total_predictions"], [row["model_version"] for row in recent["by_model"]]) == (1, ["v2"])
    assert ask(f"{METRICS}?window=30&version=v1").json()["total_predictions"] == 0


@pytest.mark.parametrize(("window", "periods"), [("90", 2), ("365", 1), ("all", 1)])
def test_over_time_is_by_day_week_or_month(apple: Instrument, ask: Ask, window: str, periods: int) -> None:
    # Two sessions of one week and month.
    met(forecast(apple, origin=date(2023, 9, 12)), "104")
    met(forecast(apple), "94")
    update_accuracy(now=NOW, through=TARGET)
    returned = ask(f"{METRICS}?window={window}").json()["over_time"]
    assert len(returned) == periods
    assert (returned[0]["first"], returned[-1]["last"], sum(row["n"] for row in returned)) == (
        "2023-09-19",
        "2023-09-21",
        2,
    )


def test_metrics_are_available_as_csv(apple: Instrument, ask: Ask) -> None:
    three_kinds(apple)
    answer = ask(f"{METRICS}?format=csv&window=30")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    (row,) = csv.DictReader(StringIO(answer.content.decode()))
    assert (row["first"], row["n"], row["accuracy"]) == ("2023-09-21", "1", "1.0")


def test_the_number_of_queries_is_fixed(
    apple: Instrument, ask: Ask, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for count in (1, 5):
        for back in range(count):
            origin = session_after("XNYS", ORIGIN, -back - 10 * count)
            for stored_rows in forecasts([apple], (1, 5), origin=origin, kind="hindcast"):
                met(stored_rows, "104")
        update_accuracy(now=NOW, through=TARGET)
        # the instrument, where the record ends with the figures, the page
        with django_assert_num_queries(3):
            ask(HISTORY)
        # where the record ends with what was scored, the sums, the days
        with django_assert_num_queries(3):
            ask(METRICS)
