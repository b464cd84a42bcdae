"""Acceptance of the terms and the disclaimer."""

from datetime import datetime

from django.db import transaction

from accounts.legal_documents import REQUIRED_DOCUMENTS
from accounts.models import Acceptance, User
from accounts.services.audit import network_of_request


@transaction.atomic
def accept_documents(*, user: User, now: datetime) -> None:
    """Record the user's acceptance of the current documents; a second call changes nothing."""
    network = network_of_request()
    for document in REQUIRED_DOCUMENTS:
        Acceptance.objects.get_or_create(
            user=user,
            document=document.slug,
            version=document.version,
            defaults={"accepted_at": now, "network": network},
        )
