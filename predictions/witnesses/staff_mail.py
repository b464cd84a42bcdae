"""Witness: an e-mail to staff, whose mail boxes keep what the database may lose."""

from dataclasses import dataclass
from smtplib import SMTPException

from django.core.mail import EmailMessage

from accounts.models import User
from predictions.errors import WitnessFailed
from predictions.signed_head import HeadDocument

BODY = """\
The head of the ledger of {day}, signed with the ledger key. Keep this message: with it and docs/verify_ledger.py you
can prove that no earlier forecast was altered.

{line}
"""


@dataclass(frozen=True, slots=True)
class StaffMail:
    """Sends heads to all active staff in one message."""

    name: str = "mail"

    def publish(self, head: HeadDocument) -> str:
        """Send the head. Raises WitnessFailed if there is no recipient or the mail server refuses it."""
        addresses = list(
            User.objects.filter(is_staff=True, is_active=True).order_by("pk").values_list("email", flat=True)
        )
        if not addresses:
            raise WitnessFailed(self.name, "there is no staff account")
        subject, body = f"Ledger head of {head.day}", BODY.format(day=head.day, line=head.line)
        message = EmailMessage(subject, body, bcc=addresses, headers={"Auto-Submitted": "auto-generated"})
        try:
            message.send()
        except (SMTPException, OSError) as error:
            raise WitnessFailed(self.name, f"{type(error).__name__}: {error}") from error
        return f"{len(addresses)} recipients"
