"""A clone on somebody's machine: embedded servers, a key of its own kept in the data folder."""

import secrets
from pathlib import Path

from config.settings.base import *  # noqa: F403  # settings modules extend one another
from config.settings.base import SITE, STORAGES


def _kept_secret(path: Path) -> str:
    """The clone's own secret key, made at first use and readable by its owner only."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(48))
    return path.read_text()


SECRET_KEY = _kept_secret(SITE.data_dir / "secret_key")
# Names with checksums as in production; compressing every file takes minutes and helps nobody on one machine.
STORAGES = {
    **STORAGES,
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"},
}
