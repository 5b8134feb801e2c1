"""What a booking is made under: the practice's own settings as they stand, in one statement."""

from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from django.db import connection
from django.db.models import Model

from clients.models import DataKey, Member
from clients.queries.keys import INDEX_KEY
from practice.models import Consent, Counselor, FormRule, Practice, Question, ReminderRule, Service

Row = TypeVar("Row", bound=Model)
_Offering = tuple[dict[str, Any], dict[str, Any]]

# Rows as JSON, so that rows of nine tables fit into one. What a client typed isn't among them.
_TERMS = f"""
SELECT row_to_json(p), row_to_json(s),
  (SELECT json_agg(json_build_array(row_to_json(c), row_to_json(m)) ORDER BY c.slug)
     FROM duet_practice_offer o
     JOIN duet_practice_counselor c ON c.id = o.counselor_id AND c.active
     JOIN duet_clients_member m ON m.id = c.member_id
    WHERE o.service_id = s.id),
  (SELECT json_agg(row_to_json(q) ORDER BY q.position, q.slug)
     FROM duet_practice_question q WHERE q.service_id = s.id AND q.active),
  (SELECT json_agg(row_to_json(t) ORDER BY t.position, t.slug)
     FROM duet_practice_consent t WHERE t.service_id = s.id AND t.withdrawn_at IS NULL),
  (SELECT json_agg(row_to_json(r) ORDER BY r.minutes_before)
     FROM duet_practice_reminderrule r WHERE r.service_id = s.id OR r.service_id IS NULL),
  (SELECT json_agg(json_build_array(row_to_json(f), i.id) ORDER BY f.position, f.slug)
     FROM duet_practice_formrule f
     LEFT JOIN duet_intake_instrument i ON i.slug = f.slug AND i.state = 'published'
    WHERE (f.service_id = s.id OR f.service_id IS NULL) AND f.active
      AND f."when" = 'before_first'),
  {INDEX_KEY}
  FROM duet_practice_practice p
  LEFT JOIN duet_practice_service s ON """  # noqa: S608 - fixed texts only
_PUBLIC = _TERMS + "s.slug = %s AND s.active AND NOT s.hidden"
_ANY = _TERMS + "s.id = %s"


@dataclass(frozen=True, slots=True)
class Terms:
    """The practice, a service, who offers it, what comes before it and when people are reminded."""

    practice: Practice
    service: Service
    # Of those who offer it the rows as they came: mostly one of them is wanted.
    offered_by: tuple[_Offering, ...]
    questions: tuple[Question, ...]
    consents: tuple[Consent, ...]
    reminders: tuple[ReminderRule, ...]
    # What comes before a first session, each with the version that is published now, if one is.
    forms: tuple[tuple[FormRule, UUID | None], ...]
    index_key: DataKey | None

    def counselor(self, slug: str) -> Counselor | None:
        """The one of this slug, if they offer the service."""
        return self._one("slug", slug)

    def counselor_of(self, pk: UUID) -> Counselor:
        """The one of this id. Refuses (LookupError) who doesn't offer the service."""
        found = self._one("id", str(pk))
        if found is None:
            raise LookupError("This counselor doesn't offer the service.")
        return found

    def _one(self, column: str, value: str) -> Counselor | None:
        for counselor, member in self.offered_by:
            if counselor[column] == value:
                found = from_json(Counselor, counselor)
                found.member = from_json(Member, member)
                return found
        return None


def of_public(slug: str) -> tuple[Practice | None, Terms | None]:
    """The practice, and the terms of a public service that somebody offers; None where none is."""
    practice, terms = _load(_PUBLIC, slug)
    return practice, terms if terms and terms.offered_by else None


def of(service_id: UUID) -> Terms:
    """The terms of any service of the practice. Refuses (LookupError) an unknown one."""
    _practice, terms = _load(_ANY, service_id)
    if terms is None:
        raise LookupError("There is no such service.")
    return terms


def _load(statement: str, asked: str | UUID) -> tuple[Practice | None, Terms | None]:
    with connection.cursor() as cursor:
        cursor.execute(statement, [asked])
        row = cursor.fetchone()
    if row is None:
        return None, None
    practice = from_json(Practice, row[0])
    if row[1] is None:
        return practice, None
    return practice, Terms(
        practice=practice,
        service=from_json(Service, row[1]),
        offered_by=tuple(row[2] or ()),
        questions=tuple(from_json(Question, one) for one in row[3] or ()),
        consents=tuple(from_json(Consent, one) for one in row[4] or ()),
        reminders=tuple(from_json(ReminderRule, one) for one in row[5] or ()),
        forms=tuple(
            (from_json(FormRule, rule), UUID(pk) if pk else None) for rule, pk in row[6] or ()
        ),
        index_key=from_json(DataKey, row[7]) if row[7] else None,
    )


def from_json(model: type[Row], told: dict[str, Any]) -> Row:
    """A row out of what PostgreSQL's `row_to_json` makes of it."""
    fields = model._meta.concrete_fields
    values = [_value(field, told[str(field.column)]) for field in fields]
    return model.from_db(connection.alias, [field.attname for field in fields], values)


def _value(field: Any, told: Any) -> Any:
    if isinstance(told, str) and field.get_internal_type() == "BinaryField":
        return bytes.fromhex(told.removeprefix("\\x"))
    return field.to_python(told)
