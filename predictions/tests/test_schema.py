"""The OpenAPI schema describes the read call, and answers conform to it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it ships no types
from pytest_django import Settings

from predictions.readpath.rendering import ForecastPayload, encode_json
from predictions.tests.factories import abstention, forecasts, model_version, stock

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("empty_store")]

Ask = Callable[[str, int], Any]


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    generated: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
    return generated


@pytest.fixture
def operation(schema: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = schema["paths"][reverse("predictions-api:predict")]["get"]
    return found


@pytest.fixture
def ask(client: Client, settings: Settings) -> Ask:
    settings.HINDCAST_LIMITS = replace(settings.HINDCAST_LIMITS, anonymous_per_minute=100)
    return lambda symbol, horizon: client.get(f"{reverse('predictions-api:predict')}?symbol={symbol}&horizon={horizon}")


def validator(schema: dict[str, Any], operation: dict[str, Any], status: str) -> Draft202012Validator:
    """Validates a body against the operation's schema for that status."""
    (content,) = operation["responses"][status]["content"].values()
    return Draft202012Validator({**content["schema"], "components": schema["components"]})


def test_every_answer_conforms(schema: dict[str, Any], operation: dict[str, Any], ask: Ask) -> None:
    model_version()
    stocks = [stock(symbol) for symbol in ("AAPL", "AMZN", "GOOG", "META", "NFLX")]
    forecasts(stocks, horizons=(1, 5, 10, 20))
    silent = stock("NVDA")
    for horizon in (1, 5, 10, 20):
        abstention(silent, horizon_sessions=horizon)
    judge = validator(schema, operation, "200")
    answers = [ask(one.symbol, horizon).json() for one in (*stocks, silent) for horizon in (1, 5, 10, 20)]
    assert len(answers) == 24
    for answer in answers:
        judge.validate(answer)


def test_an_incomplete_or_wrong_body_does_not_conform(
    schema: dict[str, Any], operation: dict[str, Any], ask: Ask
) -> None:
    model_version()
    forecasts([stock()])
    answer = ask("AAPL", 5).json()
    judge = validator(schema, operation, "200")
    assert judge.is_valid(answer)
    for bent in ({"probability_up": 1.2}, {"horizon": 3}, {"signal": "MAYBE"}, {"last_price": "100"}):
        assert not judge.is_valid(answer | bent), bent
    for name in answer:
        assert not judge.is_valid({key: value for key, value in answer.items() if key != name}), name


def test_the_schema_names_exactly_the_fields_of_a_body(schema: dict[str, Any]) -> None:
    properties = set(schema["components"]["schemas"]["Forecast"]["properties"])
    assert properties - {"sandbox"} == set(ForecastPayload.__annotations__)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_no_body_contains_nan_or_infinity(number: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        encode_json({"predicted_price": number})


def test_problems_conform(schema: dict[str, Any], operation: dict[str, Any], ask: Ask) -> None:
    validator(schema, operation, "503").validate(ask("AAPL", 5).json())
    model_version()
    validator(schema, operation, "404").validate(ask("AAPL", 5).json())
    validator(schema, operation, "400").validate(ask("AAPL", 3).json())
    assert set(operation["responses"]) == {"200", "304", "400", "401", "403", "404", "429", "503", "default"}


def test_the_parameters_are_described(operation: dict[str, Any]) -> None:
    symbol, horizon = sorted((one for one in operation["parameters"]), key=lambda one: one["name"], reverse=True)
    assert (symbol["name"], symbol["required"]) == ("symbol", True)
    understood = Draft202012Validator(symbol["schema"])
    assert all(understood.is_valid(text) for text in ("AAPL", "brk.b", "BRK/B", "^GSPC", "0700.HK"))
    assert not any(understood.is_valid(text) for text in ("", "A PL", "AAPL'--", "A" * 16, "ÄPL"))
    assert (set(horizon["schema"]["enum"]), horizon["schema"]["default"]) == ({1, 5, 10, 20}, 5)
