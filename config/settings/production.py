"""A deployment: everything secret comes from the environment, everything travels encrypted."""

import os

from config.env import EnvironmentProblem
from config.settings.base import *  # noqa: F403  # settings modules extend one another
from config.settings.base import SITE

_needed = ("HINDCAST_SECRET_KEY", "DATABASE_URL", "REDIS_URL", "HINDCAST_ALLOWED_HOSTS")
_complaints = [f"{name} must be set in production." for name in _needed if not os.environ.get(name)]
if len(os.environ.get("HINDCAST_SECRET_KEY", "x" * 50)) < 50:
    _complaints.append("HINDCAST_SECRET_KEY must have at least 50 characters.")
if "*" in SITE.allowed_hosts:
    _complaints.append("HINDCAST_ALLOWED_HOSTS must name the hosts, not '*'.")
if _complaints:
    raise EnvironmentProblem(_complaints)

SECRET_KEY = os.environ["HINDCAST_SECRET_KEY"]
SECURE_SSL_REDIRECT = True
SECURE_REDIRECT_EXEMPT = [r"^health/", r"^metrics$"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_HSTS_SECONDS = 31_536_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
