"""How far a long command has come."""

import time
from typing import Final

from django.core.management.base import OutputWrapper

_BAR: Final = 30
_LINE_EVERY: Final = 10.0  # seconds


class Progress:
    """A bar on a terminal; elsewhere a line now and then, and none for what is done at once."""

    def __init__(self, out: OutputWrapper, what: str) -> None:
        self._out, self._what, self._said_at = out, what, time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        if not total:
            return
        if self._out.isatty():
            full = _BAR * done // total
            self._write(
                f"\r{'█' * full}{'░' * (_BAR - full)} {done} of {total} {self._what}",
                ending="\n" if done == total else "",
            )
        elif time.monotonic() >= self._said_at + _LINE_EVERY:
            self._said_at = time.monotonic()
            self._write(f"{done} of {total} {self._what}", ending="\n")

    def _write(self, text: str, *, ending: str) -> None:
        self._out.write(text, style_func=str, ending=ending)  # not in the red of errors
        self._out.flush()
