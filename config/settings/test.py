"""Tests: the same parts as everywhere, plain passwords hashed fast, mail kept in memory, logs kept quiet."""

from config.settings.base import *  # noqa: F403  # settings modules extend one another
from config.settings.base import DATABASES, STORAGES

SECRET_KEY = "a key that signs nothing outside a test run"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
STORAGES = {**STORAGES, "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
DATABASES["default"]["OPTIONS"].pop("pool")
# Static files are read from where they are written; nothing has to be collected before a test.
WHITENOISE_AUTOREFRESH = True
WHITENOISE_USE_FINDERS = True
# Usage is stored when a test says so: a thread of its own would write beside the test's transaction.
HINDCAST_FLUSH_USAGE = False
