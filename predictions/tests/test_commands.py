"""`manage.py predict`: a table or JSON, and one plain sentence when there is none."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.core.management.base import CommandParser

from marketdata.models import Instrument
from predictions.management.commands.predict import Command
from predictions.tests.factories import ORIGIN, abstention, bar, forecast, model_version, stock

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("empty_store")]


@pytest.fixture
def apple() -> Instrument:
    model_version()
    apple = stock()
    bar(apple, ORIGIN, "100")
    return apple


def printed(*symbols: str, **options: Any) -> str:
    out = StringIO()
    call_command("predict", *symbols, stdout=out, **options)
    return out.getvalue()


def test_the_table_has_price_intervals_signal_probabilities_and_risk(apple: Instrument) -> None:
    forecast(apple, base_rate_up="0.5449")
    table = printed("aapl", "AAPL")
    (line,) = [line for line in table.splitlines() if "AAPL" in line]
    cells = [cell.strip() for cell in line.strip("│").split("│")]
    assert cells == [
        "AAPL", "2023-09-14", "2023-09-21", "100.00", "102.00", "99.00 to 105.00", "95.00 to 109.00", "HOLD", "56.0%",
        "54.5%", "normal",
    ]  # fmt: skip
    assert "Forecasts 5 trading days ahead · model v1 · sample data · prices are out of date" in table
    assert "not investment advice" in table


def test_an_abstention_shows_its_reason(apple: Instrument) -> None:
    abstention(apple, horizon_sessions=1)
    table = printed("AAPL", horizon=1)
    assert "no forecast" in table
    assert "too little history" in table
    assert "1 trading day ahead" in table


def test_json_prints_the_bodies_of_the_api(apple: Instrument) -> None:
    error = forecast(apple)
    (body,) = json.loads(printed("AAPL", json=True))
    assert (body["id"], body["predicted_price"], body["stale"]) == (error.pk, 102.0, True)


def test_an_unknown_symbol_is_reported_with_suggestions(apple: Instrument) -> None:
    with pytest.raises(CommandError) as error:
        printed("AAPLE")
    assert str(error.value) == "Unknown symbol: AAPLE; did you mean AAPL?"
    assert error.value.returncode == 1


def test_text_that_is_no_symbol_is_refused(apple: Instrument) -> None:
    with pytest.raises(CommandError, match="Invalid symbol"):
        printed("A'--")


def test_without_a_model_the_next_step_is_printed() -> None:
    stock()
    with pytest.raises(CommandError) as error:
        printed("AAPL")
    assert str(error.value) == "No model has been trained yet. Run `manage.py train` first."


def test_a_stock_that_is_not_followed_has_no_forecast(apple: Instrument) -> None:
    forecast(apple)
    for horizon in (1, 10, 20):
        forecast(apple, horizon_sessions=horizon)
    stock("NVDA", is_active=False)
    with pytest.raises(CommandError, match="NVDA has no forecast for 5 trading days yet"):
        printed("NVDA")


def test_a_horizon_that_is_not_forecast_is_a_bad_argument(capsys: pytest.CaptureFixture[str]) -> None:
    parser = CommandParser(prog="predict", called_from_command_line=True)
    Command().add_arguments(parser)
    with pytest.raises(SystemExit) as stopped:
        parser.parse_args(["AAPL", "--horizon", "3"])
    assert stopped.value.code == 2
    assert "choose from 1, 5, 10, 20" in capsys.readouterr().err
