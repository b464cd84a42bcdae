"""Settings of a clone: embedded servers, and secrets stored in the data folder."""

import secrets
from dataclasses import replace
from pathlib import Path

from accounts.conf import KeyPepper
from config.settings.base import *  # noqa: F403  # settings modules extend one another
from config.settings.base import HINDCAST_IDENTITY, SITE, STORAGES


def _stored_secret(path: Path) -> str:
    """Return a secret of the clone; creates a private file at first use."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(48))
    return path.read_text()


SECRET_KEY = _stored_secret(SITE.data_dir / "secret_key")
if not HINDCAST_IDENTITY.key_peppers:
    _pepper = KeyPepper("clone", _stored_secret(SITE.data_dir / "key_pepper"))
    HINDCAST_IDENTITY = replace(HINDCAST_IDENTITY, key_peppers=(_pepper,))
# Hashed names as in production, without compression, which takes minutes.
STORAGES = {
    **STORAGES,
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"},
}
