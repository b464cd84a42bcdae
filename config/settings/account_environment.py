"""What the environment says about accounts: whether addresses are verified, and who else may vouch for people."""

from accounts.conf import VENDORS, AccountSettings, OAuthClient
from config.settings.news_environment import WEB, Reader

VERIFICATION = ("none", "mandatory")
SMTP = "smtp"


def read_accounts(reader: Reader) -> AccountSettings:
    """The settings of accounts; raises ValueError for a vendor whose client is only half named.

    Addresses are verified wherever mail really leaves; a clone whose mails are files lets people in at once.
    """
    mail_leaves = reader.text("EMAIL_URL", "").startswith(SMTP)
    default = "mandatory" if mail_leaves else "none"
    clients = (
        OAuthClient(
            vendor=vendor,
            client_id=reader.secret(f"{vendor.upper()}_CLIENT_ID"),
            client_secret=reader.secret(f"{vendor.upper()}_CLIENT_SECRET"),
            base_url=reader.url("GITHUB_BASE_URL", "", WEB).rstrip("/") if vendor == "github" else "",
        )
        for vendor in VENDORS
    )
    return AccountSettings(
        email_verification=reader.choice("HINDCAST_EMAIL_VERIFICATION", default, VERIFICATION),
        oauth_clients=tuple(client for client in clients if client.is_named),
    )
