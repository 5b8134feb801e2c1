"""Tell members what they must know."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from clients.models import Member, Notice
from clients.rules.actors import Actor


def tell(
    *,
    members: Iterable[Member],
    kind: str,
    subject_kind: str,
    subject_id: UUID,
    by: Actor,  # noqa: ARG001 - every action has both
    now: datetime,
) -> None:
    """Put a notice on the desk of each of these members, once for each subject.

    Part of the caller's transaction, which records what happened.
    """
    Notice.objects.bulk_create(
        [
            Notice(
                member=member,
                kind=kind,
                subject_kind=subject_kind,
                subject_id=subject_id,
                made_at=now,
            )
            for member in members
        ],
        ignore_conflicts=True,
    )
