"""Making and revoking API keys."""

from collections.abc import Collection
from datetime import datetime, timedelta

from django.db import transaction

from accounts.errors import KeyOutlivesCreator, KeyUnknown, TooManyKeys
from accounts.keys import digest_of, display_prefix, generate_key
from accounts.models import ApiKey, AuditEvent, User
from accounts.principals import key_secret
from accounts.selectors import keys_of, keys_usable_since, usable_keys
from accounts.services.audit import record

MOST_KEYS = 10
# Each key has the plan's calls for itself; without this, keys made and revoked in turn would have no limit together.
MOST_IN_A_DAY = 20
DAY = timedelta(days=1)


@transaction.atomic
def create_api_key(
    *,
    owner: User,
    name: str,
    scopes: Collection[str],
    expires_at: datetime | None,
    now: datetime,
    maker_id: int | None = None,
) -> tuple[ApiKey, str]:
    """Store a new key; returns the row and the key's text, which nobody can read again.

    Each call makes another key; one that is made by the key `maker_id` ends with it at the latest. Raises TooManyKeys,
    KeyOutlivesCreator.
    """
    User.objects.select_for_update().get(pk=owner.pk)
    if usable_keys(owner, now=now).count() >= MOST_KEYS:
        raise TooManyKeys(MOST_KEYS)
    if keys_usable_since(owner, since=now - DAY).count() >= MOST_IN_A_DAY:
        raise TooManyKeys(MOST_IN_A_DAY, within_a_day=True)
    maker = None if maker_id is None else keys_of(owner).filter(pk=maker_id).first()
    latest = None if maker is None else maker.expires_at
    if latest is not None and (expires_at is None or expires_at > latest):
        raise KeyOutlivesCreator(latest.isoformat())
    text = generate_key()
    row = ApiKey.objects.create(
        owner=owner,
        name=name,
        prefix=display_prefix(text),
        digest=digest_of(text, key_secret()),
        scopes=sorted(set(scopes)),
        expires_at=expires_at,
    )
    record(kind=AuditEvent.Kind.KEY_CREATED, user=owner, now=now, detail=f"{row.prefix} {name}")
    return row, text


@transaction.atomic
def revoke_api_key(*, owner: User, key_id: int, now: datetime, detail: str = "") -> ApiKey:
    """End a key of this person in every process, for good; revoking again changes nothing. Raises KeyUnknown.

    `detail` says who did it, where it was not the person.
    """
    key = ApiKey.objects.select_for_update().filter(owner=owner, pk=key_id).first()
    if key is None:
        raise KeyUnknown(key_id)
    if key.revoked_at is None:
        key.revoked_at = now
        key.save(update_fields=["revoked_at"])
        record(
            kind=AuditEvent.Kind.KEY_REVOKED, user=owner, now=now, detail=f"{key.prefix} {key.name} {detail}".strip()
        )
    return key
