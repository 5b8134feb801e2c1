"""Bookings and pages asked for on several threads, without a pause, while something is killed."""

import threading
import time
from collections import Counter
from types import TracebackType

from django.db import connection

from config.children import wait_until
from tests.faults.whole_site import Answer, Talk, WholeSite, bookings

THREADS = 3


class Load:
    """Threads that book hour after hour, each asked for with one key until it is booked or taken.

    One more reads a page.
    """

    def __init__(self, whole: WholeSite, talk: Talk) -> None:
        self._whole, self._talk = whole, talk
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._book, args=(number,)) for number in range(THREADS)
        ]
        self._threads.append(threading.Thread(target=self._read))
        self.booked: dict[int, str] = {}
        self.answers: list[Answer] = []
        self.pages: list[Answer] = []

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def goes_on(self) -> bool:
        """Wait until more has been booked and more pages were shown than by now."""
        booked, shown = len(self.booked), self._shown()
        return wait_until(
            lambda: len(self.booked) >= booked + 2 * THREADS and self._shown() > shown, seconds=60
        )

    def check(self, *, refusals: set[int]) -> None:
        """All that was acknowledged is there, once; what was refused was one of `refusals`.

        Whoever was told to come back was told when.
        """
        connection.close()  # ours may have been broken too
        met = Counter(answer.status for answer in (*self.answers, *self.pages))
        assert set(met) <= {200, 201, 409, *refusals}, met
        for answer in (*self.answers, *self.pages):
            assert answer.status != 503 or int(answer.headers["Retry-After"]) > 0
        for number, appointment in self.booked.items():
            assert [str(row.pk) for row in bookings(self._talk, number)] == [appointment]

    def _shown(self) -> int:
        return sum(page.status == 200 for page in self.pages)

    def _book(self, thread: int) -> None:
        number, slug = thread, self._talk.service.slug
        while not self._stop.is_set():
            answer = self._whole.book(self._talk, number, key=f"{slug}-{thread}-{number}")
            self.answers.append(answer)
            if answer.status == 201:
                self.booked[number] = str(answer.told["appointment"])
            if answer.status in {201, 409}:
                number += 2  # so that the first and the third are after the same hours
            else:
                time.sleep(0.05)  # as a client that was told to come back, only faster

    def _read(self) -> None:
        while not self._stop.is_set():
            self.pages.append(self._whole.ask("/book/"))
            time.sleep(0.02)
