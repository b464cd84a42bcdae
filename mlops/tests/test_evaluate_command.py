"""Tests of `manage.py evaluate`: errors for bad input, and all metrics of a small file."""

import json
import os
import signal
import subprocess
import sys
from datetime import date
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError

from config.devserver.servers import needs_servers
from mlops.forecasting.figures import Figures
from mlops.forecasting.tests.small import light_settings, small_panel
from mlops.management.walk_report import walk_report
from mlops.management.walk_rows import walk_page
from mlops.services.walk_forward import WalkPlan, evaluate_file

TEST_FROM = date(2017, 4, 24)
DIRECTION = {
    "accuracy", "base_rate", "n", "accuracy_ci", "buy", "relative", "log_loss_vs_climatology", "log_loss_ci",
    "brier_skill", "auc", "calibration_error", "rank_ic", "volatility_rises", "big_move", "price_mse_skill",
    "interval_80", "interval_95", "interval_99",
}  # fmt: skip


@pytest.fixture(scope="module")
def closes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The closes of the small panel, 760 sessions from 2015-01-05, in a wide file."""
    panel = small_panel()
    path = tmp_path_factory.mktemp("bars") / "closes.csv"
    pd.DataFrame(panel.close, pd.Index(panel.sessions, name="Date"), list(panel.symbols)).to_csv(path)
    return path


def evaluate(path: Path, *arguments: str) -> str:
    out = StringIO()
    call_command("evaluate", "--data", str(path), *arguments, stdout=out)
    return out.getvalue()


def test_evaluate_needs_no_server() -> None:
    assert not needs_servers(["manage.py", "evaluate", "--data", "bars.csv"])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--test-from", "2017-04-24", "--horizons", "5,7"), "Unknown horizon '7'. Supported: 1,5,10,20."),
        (
            ("--test-from", "2017-04-24", "--refit", "hourly"),
            "--refit must be one of yearly, quarterly, monthly, never",
        ),
        (("--test-from", "2015-06-01"), "105 sessions of history are too few; 504 are needed."),
        (("--test-from", "2031-01-01"), "needs 80 sessions from there on, and the bars end on 2017-12-01."),
        (("--test-from", "2017-04-24", "--json", "/none/out.json"), "there is no folder /none"),
        (("--test-from", "2017-04-24", "--page", "/none/out.md"), "there is no folder /none"),
        (("--test-from", "2017-04-24", "--json", "/"), "/ cannot be written: it is a folder."),
        (("--test-from", "2017-04-24", "--json", "/a", "--page", "/a"), "/a is an input or another output"),
        (("--test-from", "2017-04-24", "--sentiment", "/none.csv"), "none.csv cannot be used"),
    ],
)
def test_bad_input_gets_one_sentence(closes: Path, arguments: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(CommandError) as refused:
        evaluate(closes, *arguments)
    assert sentence in str(refused.value)
    assert refused.value.returncode == 1
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--test-from", "soon"), "--test-from must be a date such as 2023-09-21, not 'soon'."),
        (("--test-from", "2017-04-24", "--seed", "-1"), "--seed must be a whole number from 0 to "),
        (("--test-from", "2017-04-24", "--workers", "0"), "--workers must be a whole number from 1 to "),
    ],
)
def test_a_bad_argument_has_an_exit_code_of_its_own(closes: Path, arguments: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence) as refused:
        evaluate(closes, *arguments)
    assert refused.value.returncode == 2


def test_the_input_file_is_never_overwritten(closes: Path) -> None:
    before = closes.read_bytes()
    with pytest.raises(CommandError, match=r"closes\.csv is an input or another output"):
        evaluate(closes, "--test-from", "2017-04-24", "--json", str(closes))
    assert closes.read_bytes() == before


def test_ctrl_c_prints_one_line(tmp_path: Path) -> None:
    bars = tmp_path / "bars.csv"
    os.mkfifo(bars)
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "evaluate", "--data", str(bars)]
    with subprocess.Popen(
        [*command, "--test-from", "2017-04-24"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as running, bars.open("w"):  # fmt: skip
        # The pipe opens once the command reads from it; nothing is written to it.
        running.send_signal(signal.SIGINT)
        assert running.communicate(timeout=30) == ("", "Stopped.\n")
    assert running.returncode == 130


def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"none.csv cannot be used: it cannot be opened"):
        evaluate(tmp_path / "none.csv", "--test-from", "2017-04-24")
    (tmp_path / "notes.csv").write_text("colour,shape\nred,round\n")
    with pytest.raises(CommandError, match="has no dates such as"):
        evaluate(tmp_path / "notes.csv", "--test-from", "2017-04-24")


@pytest.fixture(scope="module")
def figures(closes: Path, tmp_path_factory: pytest.TempPathFactory) -> Figures:
    """The figures of the small panel with news about every fourth symbol and session."""
    rows, columns = np.nonzero(np.arange(760 * 4).reshape(760, 4) % 2 == 0)
    news = tmp_path_factory.mktemp("news") / "news.csv"
    table = {"symbol": np.array(small_panel().symbols)[columns], "date": small_panel().sessions[rows]}
    daily_sentiment = np.random.default_rng(1).uniform(-1, 1, len(rows))
    pd.DataFrame(table | {"score": daily_sentiment, "articles": 1}).to_csv(news, index=False)
    plan = WalkPlan(path=closes, test_from=TEST_FROM, fit=light_settings(), refit="never", horizons=(1, 5), news=news)
    return evaluate_file(plan, lambda share, stage: None)


def test_every_metric_is_present_and_is_json(figures: Figures) -> None:
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures
    assert set(figures["horizons"]) == {"1", "5"}
    week = figures["horizons"]["5"]
    assert set(week) == DIRECTION
    assert {"accuracy", "coverage", "lift_same_day", "lift_ci"} <= set(week["buy"])
    assert {"accuracy", "coverage", "ci"} <= set(week["relative"])
    assert {"accuracy", "auc", "base_rate"} <= set(week["volatility_rises"])
    assert {"accuracy", "auc", "base_rate", "brier_skill"} <= set(week["big_move"])
    for level in (80, 95, 99):
        wanted = {"coverage", "worst_symbol", "worst_year", "winkler_vs_garch", "winkler_vs_constant"}
        assert wanted <= set(week[f"interval_{level}"])
        assert abs(week[f"interval_{level}"]["coverage"] - level / 100) < 0.12
    assert {"train_seconds", "seconds", "sentiment_ablation"} <= set(figures)
    # 160 sessions are tested, four symbols each; the last five have no outcome.
    assert week["n"] <= 4 * 155


def test_news_are_compared_with_a_walk_without_news(figures: Figures) -> None:
    ablation = figures["sentiment_ablation"]
    assert ablation["fits"] == 1
    assert ablation["fits_with_news"] == 1
    week = ablation["horizons"]["5"]
    low, high = week["log_loss_ci"]
    assert low <= week["log_loss_difference"] <= high
    # Random sentiment adds nothing; a different loss proves that it is used.
    assert week["log_loss_difference"] != 0
    assert abs(week["log_loss_difference"]) < 0.02
    assert week["volatility_accuracy_difference"] == pytest.approx(
        week["volatility_accuracy"] - week["volatility_accuracy_without"]
    )


def test_the_terminal_tables_have_all_metrics(figures: Figures) -> None:
    output = walk_report(figures, coloured=False)
    for heading in ("always up", "log-loss minus climatology", "relative to GARCH", "News; 1 of 1 fit had enough news"):
        assert heading in output
    assert "4 symbols, 760 sessions from 2015-01-05 to 2017-12-01, 3,040 bars; left out: none." in output
    assert "Tested from 2017-04-24 with 1 fit; " in output
    assert max(map(len, output.splitlines()[:-3])) <= 124


def test_the_markdown_table_matches_the_metrics(figures: Figures) -> None:
    lines = walk_page(figures).splitlines()
    assert lines[0] == "|  | 1 session | 5 sessions |"
    cells = {line.split(" | ")[0].removeprefix("| "): line.removesuffix(" |").split(" | ")[1:] for line in lines}
    week = figures["horizons"]["5"]
    low, high = week["accuracy_ci"]
    assert cells["accuracy, all days"][1] == f"{100 * week['accuracy']:.1f}% [{100 * low:.1f}, {100 * high:.1f}]"
    assert cells["volatility direction: accuracy"] == ["-", f"{100 * week['volatility_rises']['accuracy']:.1f}%"]
    assert cells["worst year"][1].endswith("(2017)")
    assert "BUY accuracy" not in cells


@pytest.mark.slow
def test_the_command_prints_a_report(closes: Path, tmp_path: Path) -> None:
    out = tmp_path / "figures.json"
    page = tmp_path / "figures.md"
    requested = ("--test-from", "2017-04-24", "--refit", "never", "--horizons", "20")
    output = evaluate(closes, *requested, "--json", str(out), "--page", str(page))
    figures = json.loads(out.read_text())
    assert list(figures["horizons"]) == ["20"]
    assert figures["sentiment_ablation"] is None
    assert figures["refit"] == "never"
    assert "Tested from 2017-04-24 with 1 fit; " in output
    assert page.read_text().startswith("|  | 20 sessions |\n")
