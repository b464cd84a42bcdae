"""Settings of tests: fast password hashing, e-mail in memory."""

from dataclasses import replace

from accounts.conf import KeyPepper
from config.settings.base import *  # noqa: F403  # settings modules extend one another
from config.settings.base import DATABASES, HINDCAST_IDENTITY, STORAGES

SECRET_KEY = "a key that signs nothing outside a test run"  # noqa: S105  # signs nothing outside tests
HINDCAST_IDENTITY = replace(HINDCAST_IDENTITY, key_peppers=(KeyPepper("test", "a pepper of test keys"),))
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
STORAGES = {**STORAGES, "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
DATABASES["default"]["OPTIONS"].pop("pool")
# Static files are read from their sources, without collectstatic.
WHITENOISE_AUTOREFRESH = True
WHITENOISE_USE_FINDERS = True
# Tests flush usage themselves: a background thread would write outside the test's transaction.
HINDCAST_FLUSH_USAGE = False
