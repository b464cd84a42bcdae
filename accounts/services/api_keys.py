"""Creation and revocation of API keys."""

from collections.abc import Collection
from datetime import datetime, timedelta

from django.db import transaction

from accounts.errors import KeyOutlivesCreator, KeyUnknown, TooManyKeys
from accounts.keys import digest_of, display_prefix, generate_key
from accounts.models import ApiKey, AuditEvent, User
from accounts.principals import current_pepper
from accounts.selectors import keys_of, keys_usable_since, usable_keys
from accounts.services.audit import record

MAX_USABLE_KEYS = 10
# Keys are never deleted, and each one adds two events to the audit.
MAX_KEYS_PER_DAY = 20
DAY = timedelta(days=1)


@transaction.atomic
def create_api_key(
    *,
    owner: User,
    name: str,
    scopes: Collection[str],
    expires_at: datetime | None,
    now: datetime,
    creator_id: int | None = None,
) -> tuple[ApiKey, str]:
    """Create a key; returns the row and the key's text, which is not stored.

    A key created with the key `creator_id` may not expire after it. Raises TooManyKeys, KeyOutlivesCreator.
    """
    User.objects.select_for_update().get(pk=owner.pk)
    if usable_keys(owner, now=now).count() >= MAX_USABLE_KEYS:
        raise TooManyKeys(MAX_USABLE_KEYS)
    if keys_usable_since(owner, since=now - DAY).count() >= MAX_KEYS_PER_DAY:
        raise TooManyKeys(MAX_KEYS_PER_DAY, within_a_day=True)
    creator = None if creator_id is None else keys_of(owner).filter(pk=creator_id).first()
    latest = None if creator is None else creator.expires_at
    if latest is not None and (expires_at is None or expires_at > latest):
        raise KeyOutlivesCreator(latest.isoformat())
    text, pepper = generate_key(), current_pepper()
    row = ApiKey.objects.create(
        owner=owner,
        name=name,
        prefix=display_prefix(text),
        digest=digest_of(text, pepper.secret),
        pepper_id=pepper.pepper_id,
        scopes=sorted(set(scopes)),
        expires_at=expires_at,
    )
    record(kind=AuditEvent.Kind.KEY_CREATED, user=owner, now=now, detail=f"{row.prefix} {name}")
    return row, text


@transaction.atomic
def revoke_api_key(*, owner: User, key_id: int, now: datetime, detail: str = "") -> ApiKey:
    """Revoke a key of this user permanently; a second call changes nothing. Raises KeyUnknown.

    `detail` names the actor in the audit log, if it was not the owner.
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
