"""The API's fields: each cleans by the same field as the pages' forms, after a look at the type.

The forms take text only, since browsers send nothing else. JSON has types: a number where a text
is asked for is refused, and never turned into one.
"""

import re
from datetime import datetime
from functools import cached_property
from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.conf import settings
from django.core import signing
from django.core.exceptions import ValidationError as FormError
from django.utils.translation import gettext as _
from drf_spectacular.drainage import set_override
from rest_framework import serializers

from clients.forms import fields
from clients.rules import contact

Schema = dict[str, Any]
_MANY = 999_999_999
# More answers and consents than anybody is asked for.
FEW = 100
_WHOLE = re.compile(r"-?\d{1,9}", re.ASCII)


class Cleaned(serializers.Field[Any, Any, Any, Any]):
    """A text that a form field cleans, or refuses in words."""

    schema: Schema = {"type": "string"}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        set_override(self, "field", self.schema)

    def form_field(self) -> forms.Field:
        """The form field that decides."""
        raise NotImplementedError

    @cached_property
    def _ruling(self) -> forms.Field:
        return self.form_field()

    def to_internal_value(self, data: Any) -> Any:
        """Refuses (ValidationError) what isn't a text, and what the form field refuses."""
        if not isinstance(data, str):
            raise serializers.ValidationError(_("This has to be a text."))
        try:
            return self._ruling.clean(data)
        except FormError as refused:
            raise serializers.ValidationError(refused.messages) from None

    def to_representation(self, value: Any) -> Any:
        """These fields only read."""
        raise NotImplementedError


class Slug(Cleaned):
    """The short name of something that the practice offers."""

    schema = {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,50}$"}

    def form_field(self) -> forms.Field:
        """As the pages'."""
        return fields.Slug()


class Token(Cleaned):
    """What a hold was answered with."""

    schema = {"type": "string", "pattern": "^[A-Za-z0-9_-]{20,64}$"}

    def form_field(self) -> forms.Field:
        """Any other text is no token of ours."""
        return fields.Token()


class Instant(Cleaned):
    """Date, time and offset: a local time may not exist, or come twice."""

    schema = {"type": "string", "format": "date-time", "example": "2030-07-01T10:00:00+02:00"}

    def form_field(self) -> forms.Field:
        """As the pages'."""
        return fields.Instant()

    def to_internal_value(self, data: Any) -> Any:
        """Refuses as the others, in words for a program."""
        try:
            return super().to_internal_value(data)
        except serializers.ValidationError:
            raise serializers.ValidationError(
                _("Write date, time and offset, as in 2030-07-01T10:00:00+02:00.")
            ) from None


class Day(Cleaned):
    """A date."""

    schema = {"type": "string", "format": "date", "example": "2030-07-01"}

    def form_field(self) -> forms.Field:
        """As the pages'."""
        return fields.Day()

    def to_internal_value(self, data: Any) -> Any:
        """Refuses as the others, in words for a program."""
        try:
            return super().to_internal_value(data)
        except serializers.ValidationError:
            raise serializers.ValidationError(_("Write a date, as in 2030-07-01.")) from None


class Name(Cleaned):
    """A person's name."""

    schema = {"type": "string", "minLength": 1, "maxLength": contact.NAME_LIMIT}

    def form_field(self) -> forms.Field:
        """As the pages'."""
        return fields.name_field()


class Email(Cleaned):
    """An e-mail address."""

    schema = {"type": "string", "format": "email", "maxLength": contact.EMAIL_LIMIT}

    def form_field(self) -> forms.Field:
        """As the pages'."""
        return fields.email_field()


class Phone(Cleaned):
    """A telephone number. Whoever has the practice's region at hand reads it."""

    schema = {"type": "string", "maxLength": 40, "example": "+1 201 555 0123"}

    def to_internal_value(self, data: Any) -> Any:
        """Refuses (ValidationError) what isn't a text: without the region no more can be said."""
        if not isinstance(data, str):
            raise serializers.ValidationError(_("This has to be a text."))
        return data


class Language(Cleaned):
    """A language that the practice writes in."""

    def __init__(self, **kwargs: Any) -> None:
        self.schema = {"type": "string", "enum": [code for code, _name in settings.LANGUAGES]}
        super().__init__(**kwargs)

    def form_field(self) -> forms.Field:
        """One of the site's languages."""
        return forms.ChoiceField(choices=settings.LANGUAGES)


class Text(Cleaned):
    """Text of several lines."""

    def __init__(self, *, limit: int, **kwargs: Any) -> None:
        self.limit = limit
        self.schema = {"type": "string", "maxLength": limit}
        super().__init__(**kwargs)

    def form_field(self) -> forms.Field:
        """As the pages'."""
        return fields.text_field(limit=self.limit, required=False)


class Line(Cleaned):
    """One line of text."""

    def __init__(self, *, limit: int, **kwargs: Any) -> None:
        self.limit = limit
        self.schema = {"type": "string", "minLength": 1, "maxLength": limit}
        super().__init__(**kwargs)

    def form_field(self) -> forms.Field:
        """As the pages'."""
        return fields.line_field(limit=self.limit)


class Pattern(Cleaned):
    """A text of a fixed build; `pattern` and `schema` say the same, once for each reader."""

    pattern: ClassVar[re.Pattern[str]]

    def to_internal_value(self, data: Any) -> Any:
        """Refuses (ValidationError) all that is built otherwise."""
        if not isinstance(data, str) or not self.pattern.fullmatch(data):
            raise serializers.ValidationError(
                _("Write it as in %(example)s.") % {"example": self.schema["example"]}
            )
        return data


class Id(Cleaned):
    """The id of a row."""

    schema = {"type": "string", "format": "uuid"}

    def to_internal_value(self, data: Any) -> UUID:
        """Refuses (ValidationError) what isn't one, written as the API writes it."""
        try:
            found = UUID(data if isinstance(data, str) else "")
        except ValueError:
            found = None
        if found is None or str(found) != str(data).lower():
            raise serializers.ValidationError(_("This is no id."))
        return found


class Flag(serializers.Field[bool, Any, bool, Any]):
    """true or false, and no text that looks like either."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        set_override(self, "field", {"type": "boolean"})

    def to_internal_value(self, data: Any) -> bool:
        """Refuses (ValidationError) everything else."""
        if not isinstance(data, bool):
            raise serializers.ValidationError(_("Write true or false."))
        return data


class Whole(serializers.Field[int, Any, int, Any]):
    """A whole number between two others."""

    def __init__(self, *, least: int, most: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.least, self.most = least, most
        set_override(self, "field", {"type": "integer", "minimum": least, "maximum": most})

    def to_internal_value(self, data: Any) -> int:
        """Refuses (ValidationError) texts, fractions, true and false, and what lies outside."""
        if type(data) is not int or not self.least <= data <= self.most:
            raise serializers.ValidationError(
                _("Write a whole number from %(least)d to %(most)d.")
                % {"least": self.least, "most": self.most}
            )
        return data


class Choice(Cleaned):
    """One of a few words."""

    def __init__(self, *, of: list[str], **kwargs: Any) -> None:
        self.of = of
        self.schema = {"type": "string", "enum": of}
        super().__init__(**kwargs)

    def form_field(self) -> forms.Field:
        """One of them, as it is."""
        return forms.ChoiceField(choices=[(word, word) for word in self.of])


class PageSize(Cleaned):
    """How many rows a page holds; too few or too many are brought into bounds."""

    def __init__(self, *, most: int, **kwargs: Any) -> None:
        self.most = most
        self.schema = {
            "type": "integer",
            "minimum": -_MANY,
            "maximum": _MANY,
            "description": f"At least 1 and at most {most}; others are brought into these bounds.",
        }
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> int:
        """Refuses (ValidationError) all that isn't a whole number in ASCII digits."""
        if not isinstance(data, str) or not _WHOLE.fullmatch(data):
            raise serializers.ValidationError(_("Write a whole number."))
        return min(max(int(data), 1), self.most)


class Cursor(Cleaned):
    """Where the next page begins, as the page before says; nobody makes one up."""

    def __init__(self, *, salt: str, **kwargs: Any) -> None:
        self.salt = salt
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> tuple[datetime, UUID]:
        """Refuses (ValidationError) one that isn't ours."""
        try:
            start, pk = signing.loads(str(data), salt=self.salt)
            return datetime.fromisoformat(start), UUID(pk)
        except (signing.BadSignature, ValueError, TypeError):
            raise serializers.ValidationError(_("Begin with the first page again.")) from None


class Slugs(serializers.ListField):
    """A few short names, each once."""

    child = Slug()

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=FEW, **kwargs)

    def to_internal_value(self, data: Any) -> Any:
        """Refuses (ValidationError) a name that stands there twice, beside what a list refuses."""
        found = super().to_internal_value(data)
        if len(set(found)) < len(found):
            raise serializers.ValidationError(_("This was sent twice, with two values."))
        return found


class Ids(serializers.ListField):
    """A few ids."""

    child = Id()

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_length=1, max_length=FEW, **kwargs)


class Few(serializers.DictField):
    """A few values under names that the practice chose."""

    def to_internal_value(self, data: Any) -> Any:
        """Refuses (ValidationError) more than a form would ever hold, before looking at each."""
        if isinstance(data, dict) and len(data) > FEW:
            raise serializers.ValidationError(_("There are too many of these."))
        return super().to_internal_value(data)
