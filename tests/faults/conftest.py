"""One running site for all fault tests of a worker, and the auditor after each."""

import os
from collections.abc import Iterator

import pytest
from pytest_django import DjangoDbBlocker

from tests import smtp_peer
from tests.config.running import fresh_folder, site
from tests.faults.whole_site import WholeSite, audit, opened
from tests.smtp_peer import Behave

KEYS = ("DUET_SECRET_KEY_FILE", "DUET_NOTES_KEY_FILE")


@pytest.fixture(scope="session")
def running_site(django_db_setup: None) -> Iterator[WholeSite]:
    """`manage.py up` with our keys, sending to a mail server of ours, without limits on tries."""
    names = {name: os.environ[name] for name in KEYS} | {"DUET_THROTTLE": "off"}
    with smtp_peer.running() as peer:
        names["EMAIL_URL"] = f"smtp://127.0.0.1:{peer.port}"
        with site(fresh_folder(), **names) as running:
            yield WholeSite(running, peer, names)


@pytest.fixture
def whole(running_site: WholeSite, django_db_blocker: DjangoDbBlocker) -> Iterator[WholeSite]:
    """The site with its database open to us. Whatever a test does to it, the auditor is content."""
    peer = running_site.peer
    peer.behave, peer.on_letter = Behave.ACCEPT, lambda letter: None
    peer.by_recipient.clear()
    peer.taken.clear()
    with django_db_blocker.unblock(), opened(running_site.site):
        yield running_site
        assert audit() == []
