"""Settings shared by every process; local, production and test extend them."""

import os
from datetime import timedelta

from corsheaders.defaults import default_headers
from csp.constants import NONCE, NONE, SELF
from django.templatetags.static import static
from django.urls import reverse_lazy

from config.observability.logging import logging_config
from config.settings.environment import ROOT, read_environment

ENVIRONMENT = read_environment(os.environ)
SITE = ENVIRONMENT.site
# Cache of numba's compiled code, as the source folder may be read-only.
os.environ.setdefault("NUMBA_CACHE_DIR", str(SITE.data_dir / "numba"))

HINDCAST_SITE = SITE
HINDCAST_MARKETDATA = ENVIRONMENT.marketdata
HINDCAST_MODELS = ENVIRONMENT.models
HINDCAST_FORECASTS = ENVIRONMENT.forecasts
HINDCAST_LEDGER = ENVIRONMENT.ledger
HINDCAST_LIMITS = ENVIRONMENT.limits
HINDCAST_ACCOUNTS = ENVIRONMENT.accounts
HINDCAST_IDENTITY = ENVIRONMENT.identity
HINDCAST_FLUSH_USAGE = True
HINDCAST_ALERTS = ENVIRONMENT.alerts
HINDCAST_NEWS = ENVIRONMENT.news

BASE_DIR = ROOT
DEBUG = False
ALLOWED_HOSTS = list(SITE.allowed_hosts)
CSRF_TRUSTED_ORIGINS = list(SITE.csrf_origins)
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
ASGI_APPLICATION = "config.edge.asgi.application"
APPEND_SLASH = False
API_VERSION = "1.0.0"
DATA_UPLOAD_MAX_MEMORY_SIZE = SITE.body_bytes
CSRF_FAILURE_VIEW = "config.http.problem_responses.csrf_failure"

INSTALLED_APPS = [
    "config",
    "accounts",
    "marketdata",
    "mlops",
    "predictions",
    "alerts",
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.google",
    "allauth.socialaccount.providers.github",
    "rest_framework",
    "rest_framework_simplejwt.token_blacklist",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "corsheaders",
    "csp",
    "channels",
    "django_htmx",
    "django_structlog",
    "django_celery_beat",
]

# Of calls under /api/v1/; ApiMiddleware runs them instead of the rest of MIDDLEWARE.
API_MIDDLEWARE = [
    "config.http.request_log.RequestLogMiddleware",
    # First, so that responses of later middleware also get CORS headers.
    "django.middleware.security.SecurityMiddleware",
    "config.http.security_headers.ApiCorsMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "accounts.limits.RateLimitHeadersMiddleware",
    "config.http.api_policy.ApiPolicyMiddleware",
    "config.apidocs.sandbox.SandboxMiddleware",
    "django.middleware.common.CommonMiddleware",
    "config.http.api_middleware.ApiSessionMiddleware",
]
MIDDLEWARE = [
    "config.http.api_middleware.ApiMiddleware",
    "config.http.monitoring_host.MonitoringHostMiddleware",
    "config.http.request_log.RequestLogMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "config.http.api_policy.ApiPolicyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "accounts.limits.RateLimitHeadersMiddleware",
    "config.http.page_limit.PageLimitMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "config.http.login_throttle.LoginThrottleMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "config.http.security_headers.PagePolicyMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ROOT / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "config.http.page_context.page_context",
            ],
        },
    },
]

# By default a pool backs off ever longer while the database is down; this one retries on each request.
POOL = {"min_size": 1, "max_size": 8, "timeout": 2, "reconnect_timeout": 1}
DATABASES = {
    "default": {
        **SITE.database,
        # The engine checks connections itself, at less cost.
        "CONN_HEALTH_CHECKS": False,
        "OPTIONS": {"connect_timeout": 2, **SITE.database.get("OPTIONS", {}), "pool": POOL},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CACHES = {
    "default": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": SITE.redis_url,
        "OPTIONS": {"SOCKET_CONNECT_TIMEOUT": 1, "SOCKET_TIMEOUT": 1},
    }
}
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.core.RedisChannelLayer",
        # One channel per process receives the messages of all its users.
        "CONFIG": {"hosts": [SITE.redis_url], "capacity": 2_000},
    }
}
SESSION_ENGINE = "accounts.sessions"

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": name}
    for name in (
        "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "django.contrib.auth.password_validation.MinimumLengthValidator",
        "django.contrib.auth.password_validation.CommonPasswordValidator",
        "django.contrib.auth.password_validation.NumericPasswordValidator",
        "accounts.password_validation.MaximumLengthValidator",
        "accounts.password_validation.SiteWordValidator",
    )
]
LOGIN_URL = reverse_lazy("account_login")
LOGIN_REDIRECT_URL = "/"
ACCOUNT_LOGOUT_REDIRECT_URL = "/"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_SIGNUP_FORM_CLASS = "accounts.forms.agreement.AgreementFields"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = HINDCAST_ACCOUNTS.email_verification
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_CHANGE_EMAIL = True
ACCOUNT_FORMS = {
    "login": "accounts.forms.sign_in.SignInForm",
    "signup": "accounts.forms.sign_in.SignUpForm",
    "add_email": "accounts.forms.sign_in.AnotherEmailForm",
    "change_password": "accounts.forms.sign_in.NewPasswordForm",
    "set_password": "accounts.forms.sign_in.FirstPasswordForm",
    "reset_password": "accounts.forms.sign_in.ForgottenPasswordForm",
    "reset_password_from_key": "accounts.forms.sign_in.ResetPasswordForm",
    "reauthenticate": "accounts.forms.sign_in.PasswordAgainForm",
}
ACCOUNT_EMAIL_CONFIRMATION_AUTHENTICATED_REDIRECT_URL = "/accounts/"
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
# config.http.login_throttle counts attempts.
ACCOUNT_RATE_LIMITS = {"login": None, "login_failed": None, "signup": None, "reset_password": None}
SOCIALACCOUNT_FORMS = {"signup": "accounts.forms.sign_in.SocialSignUpForm"}
SOCIALACCOUNT_ADAPTER = "accounts.adapter.SocialAdapter"
SOCIALACCOUNT_PROVIDERS = {client.provider_id: client.provider() for client in HINDCAST_ACCOUNTS.oauth_clients}
# Sign-in by a provider connects to an account whose address both have verified; see SocialAdapter.
SOCIALACCOUNT_EMAIL_AUTHENTICATION = True
SOCIALACCOUNT_EMAIL_AUTHENTICATION_AUTO_CONNECT = True

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.api.authentication.PrincipalAuthentication"],
    "DEFAULT_THROTTLE_CLASSES": ["accounts.limits.SharedThrottle"],
    "DEFAULT_PERMISSION_CLASSES": ["accounts.api.permissions.ScopePermission"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["config.http.parsers.JsonParser"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "config.http.negotiation.FormatNegotiation",
    "DEFAULT_SCHEMA_CLASS": "config.apidocs.schema_cache.NamedSchema",
    "EXCEPTION_HANDLER": "config.http.problem_responses.exception_handler",
}
SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=10),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=14),
    "ROTATE_REFRESH_TOKENS": True,
    "BLACKLIST_AFTER_ROTATION": True,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Hindcast",
    "DESCRIPTION": (
        "Stock forecasts with a public track record. Most read endpoints need no key; a key raises the limits. "
        "Errors are problem details (RFC 9457) whose `type` links to an explanation. Rate-limit headers are included "
        "in every response. Forecasts are statistical and uncertain; they are not investment advice."
    ),
    "VERSION": API_VERSION,
    "EXTERNAL_DOCS": {"url": "/api/start", "description": "Getting started"},
    "TAGS": [
        {"name": "forecasts", "description": "Current and past forecasts with prediction intervals."},
        {"name": "accounts", "description": "Registration, tokens, API keys and usage."},
        {"name": "record", "description": "Accuracy of past forecasts."},
        {"name": "market data", "description": "Instruments, prices, quotes and news."},
        {"name": "ledger", "description": "Hash chain that proves that no forecast was changed."},
    ],
    "DEFAULT_GENERATOR_CLASS": "config.apidocs.schema_cache.CachedSchemaGenerator",
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "POSTPROCESSING_HOOKS": ["drf_spectacular.hooks.postprocess_schema_enums", "config.apidocs.openapi.complete"],
    "ENUM_NAME_OVERRIDES": {
        "ForecastKindEnum": ["live", "late", "republished", "hindcast"],
        "ForecastStatusEnum": ["issued", "abstained"],
        "BatchStatusEnum": ["issued", "abstained", "problem", "waiting", "cancelled"],
        "BatchStateEnum": ["waiting", "running", "done", "cancelled"],
        "PriceKindEnum": ["quote", "close"],
    },
}
CORS_ALLOWED_ORIGINS = list(SITE.cors_origins)
CORS_ALLOW_HEADERS = [*default_headers, "x-api-key", "idempotency-key", "if-none-match", "x-request-id"]
CORS_URLS_REGEX = r"^/api/.*$"
CORS_EXPOSE_HEADERS = [
    "RateLimit", "RateLimit-Policy", "Retry-After", "X-Request-ID", "Location", "Link", "ETag", "Age",
    "Idempotency-Replayed",
]  # fmt: skip

CONTENT_SECURITY_POLICY = {
    "EXCLUDE_URL_PREFIXES": ["/api/v1/", "/api/schema"],
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF, NONCE],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "connect-src": [SELF, *([SITE.stream_url] if SITE.stream_url else [])],
        "object-src": [NONE],
        "base-uri": [NONE],
        # Browsers apply form-action to the redirect of a form that starts a sign-in with a provider.
        "form-action": [SELF, *(client.origin for client in HINDCAST_ACCOUNTS.oauth_clients)],
        "frame-ancestors": [NONE],
    },
}
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

STATIC_URL = "/static/"
STATICFILES_DIRS = [ROOT / "static"]
STATIC_ROOT = SITE.static_dir
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True

CELERY_BROKER_URL = SITE.broker_url
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
# Jobs of higher apps that a promotion enqueues by name.
HINDCAST_AFTER_PROMOTION = ("predictions.announce", "predictions.first_hindcasts")
# Records promotions and rollbacks in the audit log within the same transaction.
HINDCAST_ON_MODEL_CHANGE = "accounts.services.audit.record_model_change"
HINDCAST_ON_HISTORY_REVIEW = "accounts.services.audit.record_staff_decision"
# Builds problems nested in a larger response; the table of problems is above the apps.
HINDCAST_PROBLEM_OF = "config.http.problem_responses.problem_body"
CELERY_WORKER_HIJACK_ROOT_LOGGER = False

EMAIL_BACKEND = "config.private_mail.PrivateFileBackend"
EMAIL_FILE_PATH = SITE.data_dir / "mail"
vars().update({name: value for name, value in SITE.email.items() if value != ""})
DEFAULT_FROM_EMAIL = SITE.email_from
EMAIL_TIMEOUT = 10

LOGGING_CONFIG = None
LOGGING = logging_config(SITE.log_format, SITE.log_level)

# Accent colours of the pages, from light to dark.
STAFF_COLOURS = {
    "50": "#f3f4fd",
    "100": "#e6e9fb",
    "200": "#cdd3f7",
    "300": "#aab4f1",
    "400": "#8c9bff",
    "500": "#5f70e0",
    "600": "#3b4cca",
    "700": "#303ea6",
    "800": "#283385",
    "900": "#232c6b",
    "950": "#171c45",
}
UNFOLD = {
    "SITE_TITLE": "Hindcast",
    "SITE_HEADER": "Hindcast",
    "SITE_URL": "/",
    "SITE_ICON": lambda request: static("img/favicon.svg"),
    "COLORS": {"primary": STAFF_COLOURS},
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("img/favicon.svg")}],
}
