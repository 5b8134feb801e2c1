"""Logging without personal text: one line a record on stderr, JSON or key=value.

Our own modules write codes, ids and the kinds of errors. Of everybody else's records only the fixed
words and the numbers are kept, since what libraries put between them may be what a person typed.
An error is told by its kind and place, never by its text (PostgreSQL's quote values).
"""

import logging
import re
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Literal

import structlog
from structlog.types import EventDict, Processor, WrappedLogger

Form = Literal["json", "words"]

OURS = ("clients", "intake", "practice", "config", "duet")
# Tokens in addresses open what is somebody's own: a log reader must not. Whichever page one belongs
# to, it is long, stands between slashes, and has digits or letters of both cases; names of files
# mostly haven't. What follows a question mark was typed, or is a token too.
_MASKS = (
    (
        re.compile(r"(?<=/)(?=[^/\s]*(?:\d|[a-z][^/\s]*[A-Z]|[A-Z][^/\s]*[a-z]))[\w.:~%+=-]{16,}"),
        "…",
    ),
    (re.compile(r"(?<=[\w/…])\?[^\s\"']+"), "?…"),
    (re.compile(r"(?i)\b(authorization|cookie)([\"']?\s*[:=]).*"), r"\1\2 …"),
    (re.compile(r"(?i)\b(bearer|basic)\s+\S+"), r"\1 …"),
    (re.compile(r"(?i)((?:token|session(?:id)?|key|password|code)=)[^\s&;,]+"), r"\1…"),
)
# Of a text that a library put together itself, as far as it is surely words.
_PLAIN_WORDS = re.compile(r"[A-Za-z .,()'-]*")
_FIRST = ("time", "level", "logger", "event")
_THE_REST = logging.getLogger("config.the_rest")


class Answers(logging.Filter):
    """Leaves out what Django says of each 4xx: our own line about every request is enough."""

    def filter(self, record: logging.LogRecord) -> bool:
        status = getattr(record, "status_code", 500)
        django = record.name.startswith(("django.request", "django.security"))
        return not (django and isinstance(status, int) and status < 500)


def config(form: Form) -> dict[str, Any]:
    """Settings for `logging.config.dictConfig`: of Django, the worker, beat and gunicorn alike."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": "config.logs.formatter", "form": form}},
        "filters": {"answers": {"()": "config.logs.Answers"}},
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": "line",
                "filters": ["answers"],
            }
        },
        "root": {"handlers": ["stderr"], "level": "INFO"},
        # Django's own handlers would mail tracebacks with local variables; ours replaces them.
        "loggers": {
            "django": {"handlers": [], "level": "INFO", "propagate": True},
            "celery": {"level": "WARNING"},  # else two lines for every ring, all day
            "gunicorn.error": {"handlers": [], "level": "WARNING", "propagate": True},
            "gunicorn.access": {"handlers": [], "level": "WARNING", "propagate": True},
        },
    }


def formatter(form: Form) -> structlog.stdlib.ProcessorFormatter:
    """The one formatter; it sets structlog up for our own lines too."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    render: Processor = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.processors.LogfmtRenderer(key_order=_FIRST, drop_missing=True)
    )
    return structlog.stdlib.ProcessorFormatter(
        use_get_message=False,
        pass_foreign_args=True,
        processors=[_words, _error, structlog.contextvars.merge_contextvars, _head, render],
    )


def catch_the_rest() -> None:
    """Log what ends a thread or this process too, instead of a traceback with its text."""
    sys.excepthook = _told
    threading.excepthook = lambda end: _told(end.exc_type, end.exc_value, end.exc_traceback)


def _told(
    kind: type[BaseException], error: BaseException | None, trace: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt | SystemExit):
        return
    _THE_REST.critical("ended", exc_info=(kind, error or kind(), trace))


class _Hidden:
    """Stands for what isn't told, however a template writes it."""

    def __repr__(self) -> str:
        return "…"


def _words(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Say what happened, without what isn't ours to tell."""
    args = event.pop("positional_args", ())
    if event["_from_structlog"]:
        return {name: _masked(value) for name, value in event.items()}
    record: logging.LogRecord = event["_record"]
    template = str(record.msg)
    if record.name.partition(".")[0] in OURS:
        told = _filled(template, args)
    elif record.name == "django.request":
        told = "failed"  # its own words are the status, which our line has, and the path
    elif args:
        told = _filled(template, _numbers(args))
    else:
        found = _PLAIN_WORDS.match(template)
        told = found[0] if found and found[0] == template else f"{found[0] if found else ''}…"
    event["event"] = " ".join(_masked(told).split())
    return event


def _masked(value: Any) -> Any:
    """A text without what opens something; other values as they are."""
    if not isinstance(value, str):
        return value
    for pattern, shown in _MASKS:
        value = pattern.sub(shown, value)
    return value


def _filled(template: str, args: Any) -> str:
    try:
        return template % args if args else template
    except (TypeError, ValueError, KeyError):
        return "…"


def _numbers(args: Any) -> Any:
    """The arguments of somebody else's record: numbers, a task's name, and nothing more."""
    if isinstance(args, Mapping):
        return {
            name: value if isinstance(value, int | float) or name == "name" else _Hidden()
            for name, value in args.items()
        }
    return tuple(value if isinstance(value, int | float) else _Hidden() for value in args)


def _error(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Of an error its kind and the places that it passed, outermost first."""
    found = event.pop("exc_info", None)
    event.pop("stack_info", None)
    if not isinstance(found, tuple) or found[0] is None:
        return event
    kind, _, trace = found
    places = []
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{code.co_filename}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    event["error"], event["at"] = f"{kind.__module__}.{kind.__qualname__}", "; ".join(places)
    return event


def _head(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """When, how grave and from whom; in that order."""
    record: logging.LogRecord = event.pop("_record")
    event.pop("_from_structlog", None)
    moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    head = {"time": moment, "level": record.levelname.lower(), "logger": record.name}
    return head | {"event": event.pop("event", "")} | dict(event)
