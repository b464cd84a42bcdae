"""Acceptance of the terms and the disclaimer at sign-in."""

import hashlib
from dataclasses import replace

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from accounts import legal_documents, selectors
from accounts.models import Acceptance, User
from accounts.services import agreements
from accounts.tests.conftest import PASSWORD
from config.devserver.paths import ROOT

pytestmark = pytest.mark.django_db

LOGIN = "/accounts/login/"


@pytest.fixture
def _terms_changed(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = (replace(legal_documents.TERMS, version="2030-01-01"), legal_documents.DISCLAIMER)
    monkeypatch.setattr(selectors, "REQUIRED_DOCUMENTS", changed)
    monkeypatch.setattr(agreements, "REQUIRED_DOCUMENTS", changed)


@pytest.mark.usefixtures("_terms_changed")
def test_changed_document_must_be_accepted_before_sign_in(client: Client, ada: User) -> None:
    answer = client.post(f"{LOGIN}?next=/alerts/", {"login": ada.email, "password": PASSWORD, "next": "/alerts/"})
    assert answer["Location"] == "/accounts/agreement"
    assert "_auth_user_id" not in client.session
    assert "These documents have changed" in client.get("/accounts/agreement").content.decode()
    refused = client.post("/accounts/agreement", {})
    assert refused.status_code == 422
    assert "_auth_user_id" not in client.session
    agreed = client.post("/accounts/agreement", {"agreement": "on"})
    assert agreed["Location"] == "/alerts/"
    assert client.session["_auth_user_id"] == str(ada.pk)
    assert Acceptance.objects.filter(user=ada, document="terms").count() == 2
    again = Client()
    assert again.post(LOGIN, {"login": ada.email, "password": PASSWORD})["Location"] == "/"


def test_user_created_by_staff_must_accept_documents(client: Client) -> None:
    User.objects.create_user("new@example.com", PASSWORD)
    client.post(LOGIN, {"login": "new@example.com", "password": PASSWORD})
    assert "Please read and accept these two documents" in client.get("/accounts/agreement").content.decode()


def test_staff_need_not_accept_documents(client: Client) -> None:
    User.objects.create_superuser("staff@example.com", PASSWORD)
    client.post(f"{LOGIN}?next=/admin/", {"login": "staff@example.com", "password": PASSWORD})
    assert client.get("/admin/").status_code == 200


def test_agreement_page_requires_a_pending_sign_in(client: Client, ada: User) -> None:
    assert client.get("/accounts/agreement")["Location"] == LOGIN
    client.force_login(ada)
    assert client.get("/accounts/agreement")["Location"] == "/"


def test_accepting_twice_changes_nothing(ada: User) -> None:
    before = list(Acceptance.objects.values())
    agreements.accept_documents(user=ada, now=timezone.now())
    assert len(before) == 2
    assert list(Acceptance.objects.values()) == before
    with pytest.raises(IntegrityError, match="acceptance_once_per_version"), transaction.atomic():
        Acceptance.objects.create(
            user=ada, document="terms", version=legal_documents.TERMS.version, accepted_at=timezone.now()
        )


@pytest.mark.parametrize(
    "document", legal_documents.LEGAL_DOCUMENTS.values(), ids=list(legal_documents.LEGAL_DOCUMENTS)
)
def test_document_is_shown_and_matches_its_digest(client: Client, document: legal_documents.LegalDocument) -> None:
    page = client.get(f"/{document.slug}")
    assert page.status_code == 200
    assert f"Version of {document.version}" in page.content.decode()
    digest = hashlib.sha256((ROOT / "templates" / document.template).read_bytes()).hexdigest()
    assert digest == document.sha256, f"give {document.slug} a new version and the digest {digest}"
