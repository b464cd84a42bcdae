"""Content Security Policy of the site, the admin and the API documentation."""

import pytest
from django.test import Client

from config.http.security_headers import REDOC_STYLES

pytestmark = pytest.mark.django_db


def policy(client: Client, path: str) -> dict[str, set[str]]:
    """The directives that a page is sent with."""
    header = client.get(path).headers["Content-Security-Policy"]
    return {name: set(sources) for name, *sources in (directive.split() for directive in header.split(";"))}


@pytest.mark.parametrize(
    ("path", "scripts", "styles"),
    [
        ("/", {"'self'"}, {"'self'"}),
        ("/accounts/login/", {"'self'"}, {"'self'"}),
        ("/admin/login/", {"'self'", "'unsafe-eval'"}, {"'self'", "'unsafe-inline'"}),
        ("/api/docs", {"'self'"}, {"'self'"}),
        ("/api/redoc", {"'self'"}, {"'self'", *REDOC_STYLES}),
    ],
)
def test_every_page_has_a_policy(client: Client, path: str, scripts: set[str], styles: set[str]) -> None:
    sent = policy(client, path)
    assert (sent["script-src"], sent["style-src"]) == (scripts, styles)
    assert sent["default-src"] == sent["form-action"] == {"'self'"}
    assert sent["base-uri"] == sent["object-src"] == sent["frame-ancestors"] == {"'none'"}
    assert sent["img-src"] == {"'self'", "data:"}


def test_admin_inline_script_has_a_nonce(admin_client: Client) -> None:
    answer = admin_client.get("/admin/django_celery_beat/periodictask/add/")
    sent = answer.headers["Content-Security-Policy"]
    nonce = sent.split("'nonce-")[1].split("'")[0]
    assert f'<script nonce="{nonce}">' in answer.content.decode()
    other = admin_client.get("/admin/django_celery_beat/periodictask/add/")
    assert other.headers["Content-Security-Policy"] != sent


@pytest.mark.parametrize("path", ["/api/docs", "/api/redoc"])
def test_documentation_loads_nothing_from_other_origins(client: Client, path: str) -> None:
    page = client.get(path).content.decode()
    assert "://" not in page
    assert "<script>" not in page
    assert "<style" not in page
