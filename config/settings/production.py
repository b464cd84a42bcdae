"""Production settings: secrets come from the environment, and HTTPS is required."""

import os

from config.settings.environment import EnvironmentProblem, complaints_of_production, secret_key_fallbacks

if _complaints := complaints_of_production(os.environ):
    raise EnvironmentProblem(_complaints)

from config.settings.base import *  # noqa: F403  # imported after the complaints were reported
from config.settings.base import SITE

SECRET_KEY = os.environ["HINDCAST_SECRET_KEY"]
SECRET_KEY_FALLBACKS = secret_key_fallbacks(os.environ)
# Off only if every allowed host is a loopback name.
SECURE_SSL_REDIRECT = SITE.https == "required"
SECURE_REDIRECT_EXEMPT = [r"^health/", r"^metrics$"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_HSTS_SECONDS = 31_536_000 if SECURE_SSL_REDIRECT else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_SSL_REDIRECT
# Preloading binds a whole domain for months, so it is the operator's decision.
SECURE_HSTS_PRELOAD = SITE.hsts_preload
SILENCED_SYSTEM_CHECKS = ["security.W021"]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT
if SECURE_SSL_REDIRECT:
    # Browsers accept these names only over HTTPS, from this host, for every path.
    SESSION_COOKIE_NAME = "__Host-sessionid"
    CSRF_COOKIE_NAME = "__Host-csrftoken"
