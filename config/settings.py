"""The settings of the stand-alone site, all in this file; docs/environment.md lists the names.

Loading them needs neither a server nor a key, so that `check`, `makemigrations` and
`collectstatic` run anywhere. What may not be missing once pages are served, `config.gate` checks.
"""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypedDict, cast
from urllib.parse import unquote, urlsplit

import dj_database_url
from csp.constants import NONE, SELF

from config import logs
from config.environment import CONFIG_ERROR, Environment, Misconfigured, check_notes_keys
from config.redis_urls import broker_url, cache_url

BASE_DIR = Path(__file__).resolve().parent.parent
Mode = Literal["demo", "production"]


class DuetSettings(TypedDict):
    """What the three apps read from `settings.DUET`; a host site fills the same names."""

    MODE: Mode
    BASE_URL: str  # without a closing slash; every link that leaves the site is made from it
    NOTES_KEYS: str  # `id:base64`, parted by commas or lines; the first one encrypts
    FROM_EMAIL: str
    QUICK_EXIT_URL: str
    EMBED_ORIGINS: list[str]
    DATA_DIR: Path
    RETENTION_YEARS: int  # how long a record is kept after the care has ended
    THROTTLE: bool
    TRUSTED_PROXIES: int
    METRICS_TOKEN: str
    SMS_URL: str
    STRONG_AUTH: str  # dotted path of (user) -> bool; empty: nobody has a second factor
    REAUTHENTICATE: str  # dotted path of (request) -> response or None: the way to prove it again
    MAILBOX: bool  # mail stays on this machine, on the pages of /dev/mailbox/


def _database(url: str) -> dict[str, Any]:
    """Return the database's settings; without a URL a stand-in that refuses every query."""
    if not url:
        return {"ENGINE": "django.db.backends.dummy"}
    parsed = dj_database_url.parse(url, conn_max_age=60, conn_health_checks=True)
    if parsed["ENGINE"] != "django.db.backends.postgresql":
        raise Misconfigured("DATABASE_URL has to look like postgresql://user:password@host/name.")
    # A statement that runs for 30 s, waits 10 s for a lock, or lets its transaction lie for a
    # minute is a fault: fail, and free the worker and the rows.
    limits = {
        "statement_timeout": 30_000,
        "lock_timeout": 10_000,
        "idle_in_transaction_session_timeout": 60_000,
        "timezone": "UTC",
    }
    given = " ".join(f"-c {name}={value}" for name, value in limits.items())
    options = parsed.setdefault("OPTIONS", {})
    options["options"] = f"{given} {options.get('options', '')}".strip()
    # A server that vanished from the network is given up after 8 s, so that a page can say 503.
    # Statements that come again and again are planned once for each connection: half of what a
    # page of times or a booking costs the database. In front of it PgBouncer has to be 1.21.
    for name, value in {
        "connect_timeout": 5,
        "tcp_user_timeout": 8000,
        "server_side_binding": True,
        "prepare_threshold": 5,
    }.items():
        options.setdefault(name, value)
    return cast(dict[str, Any], parsed)


def _mail(url: str) -> dict[str, Any]:
    """Return Django's mail settings from smtp://, smtp+tls:// (STARTTLS) or smtp+ssl://."""
    parts = urlsplit(url)
    if url and (parts.scheme not in {"smtp", "smtp+tls", "smtp+ssl"} or not parts.hostname):
        raise Misconfigured(
            "EMAIL_URL has to look like smtp+tls://user:password@mail.example.org:587."
        )
    ports = {"smtp": 25, "smtp+tls": 587, "smtp+ssl": 465}
    return {
        "EMAIL_HOST": parts.hostname or "",
        "EMAIL_PORT": parts.port or ports.get(parts.scheme, 25),
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_TLS": parts.scheme == "smtp+tls",
        "EMAIL_USE_SSL": parts.scheme == "smtp+ssl",
        "EMAIL_TIMEOUT": 10,
    }


# --- the environment -------------------------------------------------------------------------

_env = Environment()
try:
    _env.refuse_unknown()
    MODE = cast(Mode, _env.choice("DUET_MODE", ("demo", "production"), "production"))
    DEMO = MODE == "demo"
    SECRET_KEY = _env.secret("DUET_SECRET_KEY")
    BASE_URL = _env.origin_url("DUET_BASE_URL", "http://localhost:8000" if DEMO else "")
    if not DEMO and BASE_URL.startswith("http://"):
        raise Misconfigured("In production DUET_BASE_URL has to start with https://.")
    DATABASES = {"default": _database(_env.text("DATABASE_URL"))}
    REDIS_URL = _env.text("REDIS_URL")
    REDIS_PREFIX = _env.text("DUET_REDIS_PREFIX", "duet:")
    CELERY_BROKER_URL = broker_url(REDIS_URL) if REDIS_URL else "memory://"
    EMAIL_URL = _env.text("EMAIL_URL")
    MAILBOX_PORT = _env.number("DUET_MAILBOX_PORT", 0)
    MAIL = _mail(EMAIL_URL or (f"smtp://127.0.0.1:{MAILBOX_PORT}" if MAILBOX_PORT else ""))
    DUET: DuetSettings = {
        "MODE": MODE,
        "BASE_URL": BASE_URL,
        "NOTES_KEYS": _env.secret("DUET_NOTES_KEY"),
        "FROM_EMAIL": _env.text("DUET_FROM_EMAIL", "practice@duet.example" if DEMO else ""),
        "QUICK_EXIT_URL": _env.origin_url("DUET_QUICK_EXIT_URL", "https://www.wikipedia.org"),
        "EMBED_ORIGINS": _env.origins("DUET_EMBED_ORIGINS"),
        "DATA_DIR": Path(_env.text("DUET_DATA_DIR", str(BASE_DIR / ".duet"))).absolute(),
        "RETENTION_YEARS": _env.number("DUET_RETENTION_YEARS", 10),
        "THROTTLE": _env.switch("DUET_THROTTLE", default=True) or not DEMO,
        "TRUSTED_PROXIES": _env.number("DUET_TRUSTED_PROXIES", 0),
        "METRICS_TOKEN": _env.secret("DUET_METRICS_TOKEN"),
        "SMS_URL": _env.text("DUET_SMS_URL"),
        "STRONG_AUTH": "config.accounts.second_factor.has",
        "REAUTHENTICATE": "config.accounts.second_factor.once_more",
        "MAILBOX": DEMO and not EMAIL_URL,
    }
    ALLOWED_HOSTS = _env.words("DUET_ALLOWED_HOSTS")
    if DUET["NOTES_KEYS"]:  # no command may lock a record with a key that is none
        check_notes_keys(DUET["NOTES_KEYS"], secret_key=SECRET_KEY, mode=MODE)
except Misconfigured as refusal:
    sys.stderr.write(f"{refusal}\n")
    raise SystemExit(CONFIG_ERROR) from None

if BASE_URL:
    ALLOWED_HOSTS.append(urlsplit(BASE_URL).hostname or "")
if DEMO:
    ALLOWED_HOSTS += ["localhost", "127.0.0.1", "[::1]"]

# --- Django ----------------------------------------------------------------------------------

DEBUG = False
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django_htmx",
    "csp",
    "corsheaders",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "config",
    "clients",
    "intake",
    "practice",
]
MIDDLEWARE = [
    "config.observe.Observed",
    # Those that only add headers come before whatever answers by itself: also a static file, a
    # refusal and a redirect has all of them.
    "config.headers.Headers",
    "csp.middleware.CSPMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "config.headers.Methods",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    # A belt only: each view's own door decides, and marks public pages `login_not_required`.
    "config.sign_in.Belt",
    "config.accounts.second_factor.Required",
    "config.sessions.Use",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
]
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
            ],
        },
    }
]

# Ours sets all its policies in its views; this one its library asks of a site.
REST_FRAMEWORK = {"DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema"}
# In the schema, the name of what two answers have alike.
SPECTACULAR_SETTINGS = {
    "ENUM_NAME_OVERRIDES": {"InstrumentStateEnum": "intake.models.Instrument.State"}
}

# --- what is sent here: short forms, and no files -----------------------------------------------

FILE_UPLOAD_HANDLERS = ["config.uploads.NoFiles"]
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_048_576

# --- language and time: UTC inside, zones only in rules and templates ------------------------

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("es", "Español")]
LOCALE_PATHS = [BASE_DIR / "locale"]

# --- static files ----------------------------------------------------------------------------

STATIC_URL = "/static/"
STATIC_ROOT = None if DEMO else BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        # Hashed names, so browsers may keep files for ever and never show old ones. A demo
        # serves straight from the source folders and needs no `collectstatic`.
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEMO
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = DEMO
WHITENOISE_ALLOW_ALL_ORIGINS = False

# --- sign-in and sessions --------------------------------------------------------------------

LOGIN_URL = "/accounts/login/"
LOGIN_REDIRECT_URL = "/desk/"
LOGOUT_REDIRECT_URL = "/"
SESSION_ENGINE = "config.sessions"  # Redis may lose everything
SESSION_COOKIE_AGE = 12 * 3600  # how long a session lasts at most is config.sessions' to say
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True  # forms and htmx send the field of the page
# What a page says once after a form ("Thank you. We expect you.") is not kept on the device.
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "config.accounts.passwords.CommonCoreValidator"},
]
PASSWORD_RESET_TIMEOUT = 3600
AUTHENTICATION_BACKENDS = ["config.accounts.backend.MemberBackend"]
# django-allauth: see docs/accounts.md. Its limits are off, ours count (config/sign_in.py).
ACCOUNT_ADAPTER = "config.accounts.adapter.AccountAdapter"
ACCOUNT_RATE_LIMITS = False
ACCOUNT_LOGIN_METHODS = {"username"}  # the backend takes an e-mail address in its place
ACCOUNT_EMAIL_VERIFICATION = "none"  # nobody signs up: an admin vouches for the address
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_FORMS = {"reauthenticate": "config.accounts.forms.ReauthenticateForm"}
MFA_ADAPTER = "config.accounts.adapter.MFAAdapter"
MFA_RATE_LIMITS = False
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_ALLOW_UNVERIFIED_EMAIL = True
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_FORMS = {
    "authenticate": "config.accounts.forms.AuthenticateForm",
    "reauthenticate": "config.accounts.forms.ReauthenticateCodeForm",
    "activate_totp": "config.accounts.forms.ActivateForm",
    "add_webauthn": "config.accounts.forms.AddPasskeyForm",
    "authenticate_webauthn": "config.accounts.forms.PasskeyForm",
    "login_webauthn": "config.accounts.forms.SignInWithPasskeyForm",
    "reauthenticate_webauthn": "config.accounts.forms.ReauthenticatePasskeyForm",
}

# --- what browsers are told ------------------------------------------------------------------

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "object-src": [NONE],
    }
}
# Other sites' pages may ask the API, and only those named; cookies count for nothing there.
CORS_ALLOWED_ORIGINS = DUET["EMBED_ORIGINS"]
CORS_URLS_REGEX = r"^/api/v1/"
CORS_ALLOW_METHODS = ["DELETE", "GET", "POST"]
CORS_ALLOW_HEADERS = ["content-type", "idempotency-key", "if-none-match"]
CORS_EXPOSE_HEADERS = ["ETag", "Retry-After", "Idempotency-Replayed"]
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if BASE_URL:
    CSRF_TRUSTED_ORIGINS = ["{0.scheme}://{0.netloc}".format(urlsplit(BASE_URL))]
if DUET["TRUSTED_PROXIES"]:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
if not DEMO:
    SESSION_COOKIE_NAME = "__Host-sessionid"
    CSRF_COOKIE_NAME = "__Host-csrftoken"
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
    SECURE_SSL_REDIRECT = True
    # Probes come from inside, without TLS.
    SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
    SECURE_HSTS_SECONDS = 365 * 24 * 3600
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    # Entering the browsers' preload list binds a whole domain: its owner decides, not this file.
    SILENCED_SYSTEM_CHECKS = ["security.W021"]

# --- Redis: the cache, and Celery as a doorbell ----------------------------------------------

CACHES = {
    "default": {
        "BACKEND": "config.cache.FailOpenRedisCache",
        "LOCATION": cache_url(REDIS_URL),
        "KEY_PREFIX": f"{REDIS_PREFIX}cache",
        "OPTIONS": {
            "serializer": "config.cache.JsonSerializer",
            "socket_timeout": 0.25,
            "socket_connect_timeout": 0.25,
        },
    }
    if REDIS_URL
    else {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}
}
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "global_keyprefix": REDIS_PREFIX,
    "socket_timeout": 5,
    "socket_connect_timeout": 0.25,
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SERIALIZER = "json"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TIMEZONE = "UTC"
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# By interval, not by clock: after a pause each rings at once. Old rings are worth nothing.
# A beat that starts counts from `last_run_at`, which would be its start: killed every twenty
# seconds, it would never ring.
CELERY_BEAT_SCHEDULE = {
    name: {
        "task": name,
        "schedule": seconds,
        "options": {"expires": seconds},
        "last_run_at": datetime.fromtimestamp(0, UTC),
    }
    for name, seconds in {
        "practice.tasks.send_due": 30.0,
        "clients.tasks.seal_audit": 30.0,
        "practice.tasks.tell_members": 30.0,
        "practice.tasks.expire_holds": 60.0,
        "practice.tasks.escalate_flags": 300.0,
        "practice.tasks.expire_forms": 300.0,
        "clients.tasks.watch_reading": 600.0,
        "practice.tasks.give_rounds": 3600.0,
        "clients.tasks.report_access": 3600.0,
        "config.tasks.forget_sessions": 3600.0,
    }.items()
}

# --- mail ------------------------------------------------------------------------------------

EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
EMAIL_HOST = MAIL["EMAIL_HOST"]
EMAIL_PORT = MAIL["EMAIL_PORT"]
EMAIL_HOST_USER = MAIL["EMAIL_HOST_USER"]
EMAIL_HOST_PASSWORD = MAIL["EMAIL_HOST_PASSWORD"]
EMAIL_USE_TLS = MAIL["EMAIL_USE_TLS"]
EMAIL_USE_SSL = MAIL["EMAIL_USE_SSL"]
EMAIL_TIMEOUT = MAIL["EMAIL_TIMEOUT"]
DEFAULT_FROM_EMAIL = DUET["FROM_EMAIL"] or "webmaster@localhost"

# --- logging: to stderr, one line each, never a person's words --------------------------------

LOGGING = logs.config("words" if DEMO else "json")
