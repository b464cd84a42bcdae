"""Which model version serves: promotion, going back, and the key that tells every reader."""

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
    """Make `version` the champion, retire the one before, and note who did it and why, here and in the audit.

    A second call for the version that already serves changes nothing. Raises PromotionRefused without a reason and
    ArtifactCorrupt when the version's files are not the registered ones; the champion then stays.
    """
    if not reason.strip():
        raise PromotionRefused(version.version, "a reason is needed")
    locks.hold(locks.CHAMPION)
    promoted = ModelVersion.objects.get(pk=version.pk)
    if promoted.stage != Stage.CHAMPION:
        artifacts.verify(root=artifacts.default_root(), name=promoted.artifact_path, sha256=promoted.artifact_sha256)
        _hand_over(promoted, actor, reason.strip(), now)
        # The audit belongs to an app beside this one, which is known by its name in the settings only.
        audit = import_string(settings.HINDCAST_ON_MODEL_CHANGE)
        audit(actor=actor, version=promoted.version, rolled_back=rolled_back, now=now)
        log.info("champion_promoted", version=promoted.version, reason=reason, by=None if actor is None else actor.pk)
        transaction.on_commit(refresh_champion_key)
    version.stage = promoted.stage
    return promoted


@transaction.atomic
def rollback(*, actor: AbstractBaseUser | None, reason: str, now: datetime) -> ModelVersion:
    """Give the alias back to whoever served before the champion; a second call undoes the first.

    Raises NoChampion when nothing serves and PromotionRefused when there was nobody before.
    """
    locks.hold(locks.CHAMPION)
    serving = champion()
    before = previous_champion()
    if before is None:
        raise PromotionRefused(serving.version, "no version served before it")
    return promote(version=before, actor=actor, reason=reason, now=now, rolled_back=True)


@transaction.atomic
def refresh_champion_key() -> None:
    """Write the champion's name where readers look for it; with no champion the key goes.

    Reads and writes under the champion's lock, so that of two promotions the later one is what stays. Without Redis
    readers ask the database, so an outage is noted and nothing else.
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
    """Retire the champion, close its alias row and open the new one; an alias row never ends before it began."""
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
