"""What the environment says about accounts: proven addresses where mail leaves, vendors only as a whole."""

from pathlib import Path

import pytest

from accounts.conf import VENDORS
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
def test_addresses_are_proven_where_mail_leaves(variables: dict[str, str], verification: str) -> None:
    assert read_environment(variables).accounts.email_verification == verification


def test_a_vendor_is_off_until_it_is_named() -> None:
    assert read_environment({}).accounts.oauth_clients == ()
    (google,) = read_environment(GOOGLE).accounts.oauth_clients
    assert (google.vendor, google.client_id, google.origin) == ("google", "an-id", "https://accounts.google.com")
    assert google.provider()["APPS"] == [{"client_id": "an-id", "secret": "hunter2", "key": ""}]
    assert "hunter2" not in repr(google)


def test_a_secret_may_stand_in_a_file_and_a_github_elsewhere(tmp_path: Path) -> None:
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
def test_half_a_vendor_is_a_complaint(half: dict[str, str]) -> None:
    with pytest.raises(EnvironmentProblem, match="belong together; set both or neither") as caught:
        read_environment(half)
    assert "hunter2" not in str(caught.value)


def test_a_word_that_nobody_knows_is_a_complaint() -> None:
    with pytest.raises(EnvironmentProblem, match="HINDCAST_EMAIL_VERIFICATION must be one of none, mandatory"):
        read_environment({"HINDCAST_EMAIL_VERIFICATION": "perhaps"})


def test_every_variable_is_in_the_example_and_handed_on() -> None:
    example = (ROOT / ".env.example").read_text()
    compose = (ROOT / "docker-compose.yml").read_text()
    names = [f"{vendor.upper()}_CLIENT_{part}" for vendor in VENDORS for part in ("ID", "SECRET")]
    for name in [*names, "HINDCAST_EMAIL_VERIFICATION", "GITHUB_BASE_URL"]:
        assert f"\n{name}=\n" in example
        assert f"  {name}: ${{{name}:-}}" in compose
