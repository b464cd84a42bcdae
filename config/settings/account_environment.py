"""Reads account settings from the environment: e-mail verification and identity providers."""

from accounts.conf import IDENTITY_PROVIDERS, AccountSettings, OAuthClient
from config.settings.news_environment import WEB, EnvironmentReader

VERIFICATION = ("none", "mandatory")
SMTP = "smtp"


def read_accounts(reader: EnvironmentReader) -> AccountSettings:
    """Return the account settings. Raises ValueError for a provider with a client id or secret only.

    By default addresses are verified if e-mail is sent by SMTP, and not if it is saved in files.
    """
    sends_mail = reader.text("EMAIL_URL", "").startswith(SMTP)
    clients = (
        OAuthClient(
            provider_id=provider_id,
            client_id=reader.secret(f"{provider_id.upper()}_CLIENT_ID"),
            client_secret=reader.secret(f"{provider_id.upper()}_CLIENT_SECRET"),
            base_url=reader.url("GITHUB_BASE_URL", "", WEB).rstrip("/") if provider_id == "github" else "",
        )
        for provider_id in IDENTITY_PROVIDERS
    )
    return AccountSettings(
        email_verification=reader.choice(
            "HINDCAST_EMAIL_VERIFICATION", "mandatory" if sends_mail else "none", VERIFICATION
        ),
        oauth_clients=tuple(client for client in clients if client.is_configured),
    )
