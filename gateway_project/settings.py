"""Django's settings, all derived from the typed configuration in `GATEWAY`."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

from gateway_project import admin_looks
from gateway_project import config as gateway_config
from gateway_project.database import database_settings
from gateway_project.openapi.facts import SPECTACULAR
from observability.logging import logging_config

BASE_DIR = Path(__file__).resolve().parent.parent
GATEWAY = gateway_config.load_from_process(BASE_DIR)

SECRET_KEY = GATEWAY.secret_key
DEBUG = GATEWAY.debug
ALLOWED_HOSTS = GATEWAY.allowed_hosts

INSTALLED_APPS = [
    # daphne gives `runserver` its ASGI development server; it costs every other command a Twisted import.
    *(["daphne"] if sys.argv[1:2] == ["runserver"] else []),
    # Before the admin: its templates take the place of the admin's.
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "gateway_project.admin_app.GatewayAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "corsheaders",
    "rest_framework",
    "drf_spectacular_sidecar",
    "channels",
    "gateway_project",
    "accounts",
    "events",
    "predictions",
    "explanations",
    "realtime",
    "pipeline",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "gateway_project.security_headers.SecurityHeadersMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "predictions.compression.GZipMiddleware",
    "gateway_project.browser_middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "gateway_project.browser_middleware.CsrfViewMiddleware",
    "gateway_project.browser_middleware.AuthenticationMiddleware",
    "gateway_project.browser_middleware.MessageMiddleware",
]

ROOT_URLCONF = "gateway_project.urls"
WSGI_APPLICATION = "gateway_project.wsgi.application"
ASGI_APPLICATION = "gateway_project.asgi.application"
APPEND_SLASH = False

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

DATABASES: dict[str, dict[str, Any]] = {
    "default": database_settings(
        GATEWAY.database_url, pool_size=GATEWAY.database_pool_size, prepares=GATEWAY.database_prepares
    )
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "accounts.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {
            "hosts": [
                {
                    "address": GATEWAY.redis_url,
                    "socket_connect_timeout": 2,
                    "socket_timeout": 5,
                    "health_check_interval": 15,
                }
            ],
            "prefix": "pgw:layer:",
        },
    }
}

UNFOLD = admin_looks.UNFOLD

# What django-ratelimit counts attempts in, and what tells a form that is sent twice; nothing else is cached.
CACHES = {
    "default": {
        "BACKEND": "gateway_project.django_metrics.CountedCache",
        "LOCATION": GATEWAY.redis_url,
        "KEY_PREFIX": "pgw:guard",
        "OPTIONS": {"socket_timeout": 1, "socket_connect_timeout": 1},
    }
}
SILENCED_SYSTEM_CHECKS = [
    # Redis' INCR is atomic; the check knows only the backend of another package by name.
    "django_ratelimit.W001",
    # The redirect to https is HTTPS_REDIRECT, off by default: with TLS of its own the gateway has no port for
    # plain http, and behind a proxy the redirect is the proxy's. The API is never redirected: its clients
    # would go on sending their keys in the clear, unnoticed (OWASP ASVS 5.0, 4.1.2).
    "security.W008",
    # The middleware is a subclass that lets calls of the API pass; the check knows Django's own by name.
    "security.W003",
]

REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["predictions.rendering.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "predictions.negotiation.UsualNegotiation",
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.authentication.CallerAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["accounts.authentication.AccessPermission"],
    "EXCEPTION_HANDLER": "gateway_project.problems.exception_handler",
    "URL_FORMAT_OVERRIDE": None,
    "UNAUTHENTICATED_USER": "accounts.credentials.anonymous",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
}

# What `manage.py openapi` makes docs/openapi.json with; no server process imports drf-spectacular.
SPECTACULAR_SETTINGS = SPECTACULAR

CORS_ALLOWED_ORIGINS = GATEWAY.cors_origins
CORS_URLS_REGEX = r"^/(api|auth|health|version)"
CORS_ALLOW_HEADERS = [
    "accept",
    "accept-language",
    "authorization",
    "content-type",
    "idempotency-key",
    "if-none-match",
    "prefer",
    "x-api-key",
    "x-csrf-token",
    "x-request-id",
    "x-requested-with",
]
CORS_ALLOW_METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]
# Asked for. Nothing that may be called from another origin looks at cookies.
CORS_ALLOW_CREDENTIALS = True
CORS_EXPOSE_HEADERS = [
    "Content-Length",
    "ETag",
    "Idempotency-Replayed",
    "Location",
    "Preference-Applied",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "Warning",
    "X-API-Key-Expires",
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "X-Request-ID",
]
CORS_PREFLIGHT_MAX_AGE = 600

CSRF_FAILURE_VIEW = "gateway_project.problems.csrf_failure"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "strict-origin-when-cross-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# Whether a request came over https is found at the rim (`addresses.find_scheme`), not from a header here.
SECURE_HSTS_SECONDS = GATEWAY.hsts_s if GATEWAY.is_production else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = GATEWAY.hsts_subdomains
SECURE_SSL_REDIRECT = GATEWAY.https_redirect
SECURE_REDIRECT_EXEMPT = [r"^(?!$|start$|admin(/|$)|errors/)"]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = GATEWAY.is_production
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
DATA_UPLOAD_MAX_MEMORY_SIZE = 1 << 20

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = BASE_DIR / "staticfiles"
# The finders serve the packages' own files: a fresh clone needs no collectstatic.
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG
WHITENOISE_ALLOW_ALL_ORIGINS = False
warnings.filterwarnings("ignore", message="No directory at", module="django.core.handlers.base")

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False
FORMAT_MODULE_PATH = "gateway_project.formats"

LOGGING = logging_config(GATEWAY.log_level, GATEWAY.log_format)
