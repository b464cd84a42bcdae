"""Account settings from the environment."""

from pathlib import Path

import pytest

from accounts.conf import IDENTITY_PROVIDERS
from config.devserver.paths import ROOT
from config.settings.environment import EnvironmentProblem, read_environment

GOOGLE = {"GOOGLE_CLIENT_ID": "an-id", "GOOGLE_CLIENT_SECRET": "hunter2"}


@pytest.mark.parametrize(
    ("variables", "verification"),
    [
        ({}, "none"),
        ({"EMAIL_URL": "filemail:///tmp/mail"}, "none"),
        ({"EMAIL_URL": "smtp+tls://me:pw@mail.example:587"}, "mandatory"),
        ({"EMAIL_URL": "smtp://mail.example:25", "HINDCAST_EMAIL_VERIFICATION": "none"}, "none"),
        ({"HINDCAST_EMAIL_VERIFICATION": "mandatory"}, "mandatory"),
    ],
)
def test_verification_is_mandatory_with_smtp(variables: dict[str, str], verification: str) -> None:
    assert read_environment(variables).accounts.email_verification == verification


def test_provider_is_off_without_client() -> None:
    assert read_environment({}).accounts.oauth_clients == ()
    (google,) = read_environment(GOOGLE).accounts.oauth_clients
    assert (google.provider_id, google.client_id, google.origin) == ("google", "an-id", "https://accounts.google.com")
    assert google.provider()["APPS"] == [{"client_id": "an-id", "secret": "hunter2", "key": ""}]
    assert "hunter2" not in repr(google)


def test_secret_file_and_github_base_url(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hunter3\n")
    variables = {
        "GITHUB_CLIENT_ID": "an-id",
        "GITHUB_CLIENT_SECRET_FILE": str(tmp_path / "secret"),
        "GITHUB_BASE_URL": "https://git.example/",
    }
    (github,) = read_environment(variables).accounts.oauth_clients
    assert github.client_secret == "hunter3"
    assert (github.origin, github.provider()["GITHUB_URL"]) == ("https://git.example", "https://git.example")


@pytest.mark.parametrize("half", [{"GOOGLE_CLIENT_ID": "an-id"}, {"GITHUB_CLIENT_SECRET": "hunter2"}])
def test_provider_with_half_a_client_is_invalid(half: dict[str, str]) -> None:
    with pytest.raises(EnvironmentProblem, match="must be set together") as caught:
        read_environment(half)
    assert "hunter2" not in str(caught.value)


def test_unknown_verification_mode_is_invalid() -> None:
    with pytest.raises(EnvironmentProblem, match="HINDCAST_EMAIL_VERIFICATION must be one of none, mandatory"):
        read_environment({"HINDCAST_EMAIL_VERIFICATION": "perhaps"})


def test_every_account_variable_is_documented() -> None:
    example = (ROOT / ".env.example").read_text()
    names = [f"{provider.upper()}_CLIENT_{part}" for provider in IDENTITY_PROVIDERS for part in ("ID", "SECRET")]
    for name in [*names, "HINDCAST_EMAIL_VERIFICATION", "GITHUB_BASE_URL"]:
        assert f"\n{name}=\n" in example
