"""Staff promote a version in the admin, and the API's documentation is drawn, all under their policies."""

from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import expect
from pytest_django import Settings

from accounts.models import AuditEvent, User
from config.tests.e2e.conftest import OpenPage
from config.tests.e2e.outside_loop import outside_loop
from mlops.models import AliasChange, ModelVersion, TrainingRun
from mlops.selectors import champion
from mlops.tests.factories import version_with_files
from predictions.tests.scene import Scene

EMAIL = "staff@example.com"
PASSWORD = "correct horse battery"


@pytest.fixture
def rival(shown: Scene, settings: Settings, tmp_path: Path) -> ModelVersion:
    """A version that could serve."""
    settings.HINDCAST_MODELS = replace(settings.HINDCAST_MODELS, artifacts=tmp_path)
    return version_with_files("v2")


def test_staff_promote_a_version_and_start_a_training(open_page: OpenPage, rival: ModelVersion) -> None:
    staff = outside_loop(lambda: User.objects.create_superuser(EMAIL, PASSWORD))
    page = open_page("/admin/")
    page.get_by_label("E-mail address").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.goto(f"/admin/mlops/modelversion/{rival.pk}/change/")
    page.get_by_role("link", name="Promote").click()
    page.locator("textarea[name=reason]").fill("looks right")
    page.get_by_role("button", name="Promote").click()
    expect(page.locator("body")).to_contain_text("v2 is now in production. Its forecasts are being published.")
    assert champion() == rival
    assert AliasChange.objects.get(version=rival).reason == "looks right"
    promoted = AuditEvent.objects.get(kind=AuditEvent.Kind.MODEL_PROMOTED)
    assert (promoted.user, promoted.detail, promoted.network) == (staff, "v2", "127.0.0.0/24")
    page.goto("/admin/mlops/trainingrun/")
    page.get_by_role("link", name="Train now").click()
    page.locator("textarea[name=reason]").fill("new prices")
    page.get_by_role("button", name="Train").click()
    expect(page.locator("body")).to_contain_text("Training queued.")
    assert TrainingRun.objects.get().reason == "new prices"


@pytest.mark.parametrize(
    ("path", "title"), [("/api/docs", "Hindcast"), ("/api/redoc", "Get the latest forecast of a stock")]
)
def test_the_documentation_loads_nothing_from_other_sites(
    open_page: OpenPage, site: str, path: str, title: str
) -> None:
    page = open_page("/accounts/login/")
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    page.goto(path)
    expect(page.get_by_role("heading", name=title).first).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert requested, "it renders from the schema"
    assert [url for url in requested if not url.startswith((site, "blob:", "data:"))] == []
