"""News in the admin is read-only."""

import pytest
from django.test import Client
from django.urls import reverse

from marketdata.sentiment.lexicon.scorer import LexiconScorer
from marketdata.services.news import ingest_news
from marketdata.tests.factories import stock
from marketdata.tests.news_factories import NOW, FakeNewsProvider, article


@pytest.mark.django_db
@pytest.mark.parametrize("model", ["newsarticle", "sentimentday"])
def test_staff_read_news_and_sentiment(admin_client: Client, model: str) -> None:
    netflix = stock("NFLX", name="Netflix, Inc.", mic="XNAS")
    source = FakeNewsProvider("newsapi", [article("Netflix shares plunge")])
    ingest_news(now=NOW, instruments=[netflix], providers=[source], scorer=LexiconScorer())
    page = admin_client.get(reverse(f"admin:marketdata_{model}_changelist"), {"q": "NFLX"})
    assert page.status_code == 200
    assert ("Netflix shares plunge" if model == "newsarticle" else "NFLX") in page.content.decode()
    assert admin_client.get(reverse(f"admin:marketdata_{model}_add")).status_code == 403
