"""Logging without personal text: one line a record, link tokens masked, no local variables."""

import logging
import re

# /a/<token>/, /i/<token>/ and /r/<token>/ open a person's own pages: a log reader must not.
TOKEN_PATH = re.compile(r"(/(?:a|i|r|attendances|holds)/)[A-Za-z0-9_\-]{16,}")


class LeaveOutPersons(logging.Filter):
    """Mask what stands after /a/, /i/ and /r/, and the texts of failed tasks' exceptions."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name == "celery.app.trace" and isinstance(record.args, dict):
            record.args = {**record.args, "exc": "…", "return_value": "…"}
        message = record.getMessage()
        masked = TOKEN_PATH.sub(r"\1…", message)
        if masked != message:
            record.msg, record.args = masked, ()
        return True


class PlainFormatter(logging.Formatter):
    """Time, level, logger, message; of an error its kind and place, but not its message.

    The text of an exception may quote what a person typed (PostgreSQL's do), so it is left out.
    """

    default_msec_format = "%s.%03d"

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatException(self, ei: object) -> str:  # noqa: N802 - the name is logging's
        if not isinstance(ei, tuple) or ei[0] is None:
            return ""
        kind, _, trace = ei
        places = []
        while trace is not None:
            code = trace.tb_frame.f_code
            places.append(f"  {code.co_filename}:{trace.tb_lineno} {code.co_name}")
            trace = trace.tb_next
        return "\n".join([f"{kind.__module__}.{kind.__qualname__} at", *places])
