"""Reads account settings from the environment: limits, e-mail verification and identity providers."""

from accounts.conf import IDENTITY_PROVIDERS, AccountSettings, LimitSettings, OAuthClient
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


def read_limits(reader: EnvironmentReader) -> LimitSettings:
    """Return the limits. Raises ValueError."""
    return LimitSettings(
        anonymous_per_minute=reader.integer("HINDCAST_LIMIT_ANONYMOUS", 10),
        trusted_proxies=reader.integer("HINDCAST_TRUSTED_PROXIES", 0),
        attempts_per_address=reader.integer("HINDCAST_LIMIT_ATTEMPTS_ADDRESS", 20),
        attempts_per_account=reader.integer("HINDCAST_LIMIT_ATTEMPTS_ACCOUNT", 10),
        pages_per_minute=reader.integer("HINDCAST_LIMIT_PAGES", 300),
        sockets_per_address=reader.integer("HINDCAST_LIMIT_SOCKETS_ADDRESS", 100),
        sockets_per_account=reader.integer("HINDCAST_LIMIT_SOCKETS_ACCOUNT", 50),
        commands_per_socket=reader.integer("HINDCAST_LIMIT_COMMANDS_SOCKET", 120),
        commands_per_minute=reader.integer("HINDCAST_LIMIT_COMMANDS", 600),
        searches_per_minute=reader.integer("HINDCAST_LIMIT_SEARCHES", 60),
    )
