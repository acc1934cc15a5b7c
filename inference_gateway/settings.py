"""Django's settings, all derived from the environment (`inference_gateway.environment`)."""

from pathlib import Path
from typing import Any

import django_stubs_ext
from django.core.management.utils import get_random_secret_key

from inference_gateway.environment import BASE_DIR, Environment, load_environment
from inference_gateway.logs import build_logging

django_stubs_ext.monkeypatch()

ENVIRONMENT: Environment = load_environment()

DEBUG = ENVIRONMENT.flag("DEBUG")
# Without a key a development process gets one of its own; production mode refuses to start (resource_server.checks).
SECRET_KEY = ENVIRONMENT.text("SECRET_KEY") or get_random_secret_key()
SECRET_KEY_FALLBACKS = list(ENVIRONMENT.items("SECRET_KEY_FALLBACKS"))
ALLOWED_HOSTS = list(ENVIRONMENT.items("ALLOWED_HOSTS"))
CSRF_TRUSTED_ORIGINS = list(ENVIRONMENT.items("CSRF_TRUSTED_ORIGINS"))

DATA_DIR: Path = (BASE_DIR / ENVIRONMENT.text("GATEWAY_DATA_DIR")).resolve()

INSTALLED_APPS = [
    "inference_gateway",
    "resource_server.apps.GatewayAdminConfig",  # django.contrib.admin with the gateway's own site
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "ninja",  # its assets, so that the API's documentation page needs no other site
    "rest_framework",
    "social_django",
    "resource_server",
]

# For people's pages only. The API's routes go to a handler without middleware (inference_gateway.asgi).
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "resource_server.ui.without_database.WithoutDatabaseMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "resource_server.sign_in.middleware.SignInMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "inference_gateway.urls"
ASGI_APPLICATION = "inference_gateway.asgi.application"
APPEND_SLASH = False  # a trailing slash is accepted on API routes and never redirected

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]


def _database() -> dict[str, Any]:
    """PostgreSQL where PGHOST is set, else one SQLite file for one process."""
    if ENVIRONMENT.text("PGHOST"):
        return {
            "ENGINE": "django_prometheus.db.backends.postgresql",
            "HOST": ENVIRONMENT.text("PGHOST"),
            "PORT": int(ENVIRONMENT.number("PGPORT")),
            "USER": ENVIRONMENT.text("PGUSER"),
            "PASSWORD": ENVIRONMENT.text("PGPASSWORD"),
            "NAME": ENVIRONMENT.text("PGDATABASE"),
            "CONN_MAX_AGE": 60,
            "CONN_HEALTH_CHECKS": True,
            # A server that is gone without a word must not hold a thread for ever.
            "OPTIONS": {"connect_timeout": 2, "tcp_user_timeout": 5000, "keepalives_idle": 5, "keepalives_interval": 2},
        }
    DATA_DIR.mkdir(parents=True, exist_ok=True)  # `manage.py migrate` comes first, and SQLite makes no folders
    return {
        "ENGINE": "django_prometheus.db.backends.sqlite3",
        "NAME": DATA_DIR / "gateway.sqlite3",
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
    }


DATABASES = {"default": _database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "resource_server.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]

# Bodies are counted and capped while they are read, by the ASGI entry.
DATA_UPLOAD_MAX_MEMORY_SIZE = None
DATA_UPLOAD_MAX_NUMBER_FIELDS = 10_000  # some forty for each target of a federated endpoint, up to 200 of them

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True

AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",  # local accounts, for when Globus is no way in (docs/admin.md)
    "resource_server.sign_in.globus.GlobusSignIn",
    "resource_server.sign_in.permissions.RolePermissions",
]

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "static"

# The operator API: closed unless a view opens itself, one envelope for failures, a token or a session.
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "resource_server.operator_api.authentication.BearerToken",
        "resource_server.operator_api.authentication.BrowserSession",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["resource_server.operator_api.permissions.RowPermissions"],
    "DEFAULT_PARSER_CLASSES": ["resource_server.operator_api.parsers.StrictJSON"],
    "DEFAULT_RENDERER_CLASSES": [
        "rest_framework.renderers.JSONRenderer",
        "resource_server.operator_api.pages.Page",
    ],
    "EXCEPTION_HANDLER": "resource_server.operator_api.errors.answer_failure",
}

# Sign-in with Globus (docs/admin.md). Users are found by the gateway's own step; the library stores no tokens.
LOGIN_URL = "sign_in"
LOGIN_REDIRECT_URL = "status_page"
GLOBUS_AUTH_URL = ENVIRONMENT.text("GLOBUS_SDK_SERVICE_URL_AUTH").rstrip("/") or "https://auth.globus.org"
SOCIAL_AUTH_GLOBUS_OIDC_ENDPOINT = GLOBUS_AUTH_URL
SOCIAL_AUTH_GLOBUS_KEY = ENVIRONMENT.text("GLOBUS_APPLICATION_ID")
SOCIAL_AUTH_GLOBUS_SECRET = ENVIRONMENT.text("GLOBUS_APPLICATION_SECRET")
SOCIAL_AUTH_GLOBUS_SCOPE = [f"https://auth.globus.org/scopes/{SOCIAL_AUTH_GLOBUS_KEY}/action_all"]
SOCIAL_AUTH_GLOBUS_USE_PKCE = True
SOCIAL_AUTH_REQUESTS_TIMEOUT = 3
SOCIAL_AUTH_PIPELINE = (
    "social_core.pipeline.social_auth.social_details",
    "social_core.pipeline.social_auth.social_uid",
    "resource_server.sign_in.pipeline.admit",
    "social_core.pipeline.social_auth.social_user",
    "social_core.pipeline.social_auth.associate_user",
)

# No page for people holds a script or style of its own. (`sign_in.pages` lets a sign-in's form end at Globus.)
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        **{f"{kind}-src": ["'self'"] for kind in ("script", "style", "img", "font", "connect", "manifest")},
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
        "base-uri": ["'none'"],
    },
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"

# A session ends an hour after its last page (`sign_in.middleware` prolongs it), and after twelve in any case.
SESSION_COOKIE_AGE = 3600
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True
# The prefix makes browsers refuse the cookie from any other host, subdomains included.
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = (
    ("sessionid", "csrftoken") if DEBUG else ("__Host-sessionid", "__Host-csrftoken")
)

SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = False  # nginx does it, where it knows which listener a request came through
SECURE_HSTS_SECONDS = 0 if DEBUG else 31_536_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = not DEBUG
SECURE_HSTS_PRELOAD = not DEBUG
SESSION_COOKIE_SECURE = not DEBUG
CSRF_COOKIE_SECURE = not DEBUG
SILENCED_SYSTEM_CHECKS = ["security.W008"]  # the redirect to HTTPS is nginx's

LOGGING_CONFIG = "logging.config.dictConfig"
LOGGING = build_logging(ENVIRONMENT)
