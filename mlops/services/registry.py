"""Promotion and rollback of model versions, and the Redis key of the champion."""

from datetime import datetime

import structlog
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.utils.module_loading import import_string
from redis.exceptions import RedisError

from mlops import artifacts
from mlops.errors import NoChampion, PromotionRefused
from mlops.models import AliasChange, ModelVersion
from mlops.selectors import CHAMPION, champion, previous_champion
from mlops.services import locks
from store.client import redis_client

log = structlog.get_logger(__name__)

Stage = ModelVersion.Stage


@transaction.atomic
def promote(
    *, version: ModelVersion, actor: AbstractBaseUser | None, reason: str, now: datetime, rolled_back: bool = False
) -> ModelVersion:
    """Make `version` the champion, retire the previous one, and record actor and reason here and in the audit log.

    Promoting the current champion changes nothing. Raises PromotionRefused without a reason and ArtifactCorrupt if
    the version's files differ from the registered ones; the champion then stays.
    """
    if not reason.strip():
        raise PromotionRefused(version.version, "a reason is needed")
    locks.hold(locks.CHAMPION)
    promoted = ModelVersion.objects.get(pk=version.pk)
    if promoted.stage != Stage.CHAMPION:
        artifacts.verify(root=artifacts.default_root(), name=promoted.artifact_path, sha256=promoted.artifact_sha256)
        _hand_over(promoted, actor, reason.strip(), now)
        # The audit log belongs to a sibling app, which mlops may not import; a setting names the function.
        audit = import_string(settings.HINDCAST_ON_MODEL_CHANGE)
        audit(actor=actor, version=promoted.version, rolled_back=rolled_back, now=now)
        log.info("champion_promoted", version=promoted.version, reason=reason, by=None if actor is None else actor.pk)
        transaction.on_commit(refresh_champion_key)
    version.stage = promoted.stage
    return promoted


@transaction.atomic
def rollback(*, actor: AbstractBaseUser | None, reason: str, now: datetime) -> ModelVersion:
    """Promote the previous champion again; a second call undoes the first.

    Raises NoChampion without a champion and PromotionRefused without a previous one.
    """
    locks.hold(locks.CHAMPION)
    serving = champion()
    before = previous_champion()
    if before is None:
        raise PromotionRefused(serving.version, "there is no previous champion to roll back to")
    return promote(version=before, actor=actor, reason=reason, now=now, rolled_back=True)


@transaction.atomic
def refresh_champion_key() -> None:
    """Write the champion's name to Redis, or delete the key without a champion.

    Holds the champion lock, so that the later of two promotions wins. Readers fall back to the database, so an outage
    of Redis is only logged.
    """
    locks.hold(locks.CHAMPION)
    try:
        serving = champion().version
    except NoChampion:
        serving = None
    try:
        redis = redis_client()
        if serving is None:
            redis.delete(CHAMPION)
        else:
            redis.set(CHAMPION, serving)
    except RedisError as error:
        log.warning("champion_key_not_written", version=serving, error=type(error).__name__)


def _hand_over(version: ModelVersion, actor: AbstractBaseUser | None, reason: str, now: datetime) -> None:
    """Retire the champion, end its alias row and add a new one; an alias row never ends before it starts."""
    open_row = AliasChange.objects.filter(alias=CHAMPION, ends_at=None).first()
    starts_at = now if open_row is None else max(now, open_row.starts_at)
    ModelVersion.objects.filter(stage=Stage.CHAMPION).update(stage=Stage.RETIRED)
    if open_row is not None:
        open_row.ends_at = starts_at
        open_row.save(update_fields=["ends_at"])
    version.stage = Stage.CHAMPION
    version.save(update_fields=["stage"])
    AliasChange.objects.create(
        alias=CHAMPION,
        version=version,
        starts_at=starts_at,
        actor_id=None if actor is None else actor.pk,
        reason=reason,
    )
