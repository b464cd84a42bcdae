"""`manage.py ingest_news`, its task, and the settings of news sources."""

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings
from pytest_httpserver import HTTPServer

from config.settings.environment import EnvironmentProblem, read_environment
from marketdata.conf import Budget
from marketdata.models import NewsArticle
from marketdata.tasks import ingest_all_news
from marketdata.tests.factories import stock
from marketdata.tests.news_factories import SECRET, news_settings


@pytest.mark.django_db
def test_missing_keys_are_reported(capsys: pytest.CaptureFixture[str]) -> None:
    stock("NFLX", name="Netflix, Inc.", mic="XNAS")
    call_command("ingest_news")
    assert "No news source has an API key" in capsys.readouterr().out


@pytest.mark.django_db
def test_report_lists_counts_and_failures(
    httpserver: HTTPServer, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    stock("NFLX", name="Netflix, Inc.", mic="XNAS")
    httpserver.expect_request("/v2/everything").respond_with_json({"status": "ok", "totalResults": 0, "articles": []})
    httpserver.expect_request("/query").respond_with_json({"Information": f"{SECRET}: 25 requests per day"})
    settings.HINDCAST_NEWS = news_settings(httpserver.url_for("").rstrip("/"), providers=("newsapi", "alpha_vantage"))
    with pytest.raises(CommandError, match="Some sources failed"):
        call_command("ingest_news", "nflx")
    printed = capsys.readouterr().out
    assert "newsapi: 0 new, 0 duplicates, 0 irrelevant, 0 invalid." in printed
    assert "NFLX: alpha_vantage: quota exhausted" in printed
    assert SECRET not in printed


@pytest.mark.django_db
def test_unknown_symbols_and_scorers_are_errors(settings: Settings) -> None:
    stock("NFLX", name="Netflix, Inc.", mic="XNAS")
    with pytest.raises(CommandError, match="Unknown symbol") as caught:
        call_command("ingest_news", "NOPE")
    assert caught.value.returncode == 2
    settings.HINDCAST_NEWS = news_settings(scorer="finbert", finbert_model="/nothing/here", providers=())
    with pytest.raises(CommandError, match="The scorer finbert is unavailable"):
        call_command("ingest_news", "NFLX")


@pytest.mark.django_db
def test_task_runs_without_keys() -> None:
    ingest_all_news()
    assert not NewsArticle.objects.exists()


def test_keys_come_from_environment_or_files(tmp_path: Path) -> None:
    secret = tmp_path / "key"
    secret.write_text(f"{SECRET}\n")
    news = read_environment({"NEWSAPI_KEY": "abc", "ALPHA_VANTAGE_API_KEY_FILE": str(secret)}).news
    assert (news.newsapi_key, news.alpha_vantage_key, news.x_bearer_token) == ("abc", SECRET, "")
    assert (news.scorer, news.finbert_model) == ("lexicon", "ProsusAI/finbert")
    assert news.providers == ("alpha_vantage", "newsapi", "reddit", "x")
    assert [name for name in news.providers if news.has_key(name)] == ["alpha_vantage", "newsapi"]


def test_budgets_come_from_environment_or_vendor_limits() -> None:
    budgets = read_environment({"HINDCAST_X_BUDGET": "1/minute,40/day"}).marketdata.budgets
    assert budgets == {
        "yahoo": Budget(per_second=10, per_minute=360, per_day=8000),
        "alpha_vantage": Budget(per_second=1, per_day=25),
        "newsapi": Budget(per_second=1, per_day=100),
        "reddit": Budget(per_second=1, per_minute=100),
        "x": Budget(per_minute=1, per_day=40),
    }


@pytest.mark.parametrize("name", ["NEWSAPI", "REDDIT", "X"])
def test_invalid_budget_is_reported(name: str) -> None:
    with pytest.raises(EnvironmentProblem) as caught:
        read_environment({f"HINDCAST_{name}_BUDGET": "plenty"})
    assert caught.value.complaints == (f"HINDCAST_{name}_BUDGET: write a budget as 1/second,5/minute,25/day.",)


def test_settings_errors_contain_no_key(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem) as caught:
        read_environment(
            {
                "NEWSAPI_KEY": SECRET,
                "NEWSAPI_KEY_FILE": str(tmp_path / SECRET),
                "X_BEARER_TOKEN_FILE": str(tmp_path / SECRET),
                "REDDIT_CLIENT_ID": SECRET,
                "HINDCAST_SENTIMENT_SCORER": "crystal",
                "HINDCAST_NEWS_PROVIDERS": "newsapi,gossip",
                "X_BASE_URL": "ftp://x",
            }
        )
    complaints = "\n".join(caught.value.complaints)
    assert len(caught.value.complaints) == 6
    assert SECRET not in complaints
    assert "Reddit needs both" in complaints
