"""What members fill in about cases: whom they look for, who cares for one, why they open one."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from clients.forms import fields
from clients.models import Member
from clients.rules import care


class Search(fields.Strict):
    """Words of a name, or an exact address or number."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["q"] = fields.line_field(
            limit=200,
            label=_("Find by name, e-mail address or telephone number"),
            widget=forms.TextInput(attrs={"type": "search", "autocomplete": "off"}),
        )


class Assigned(fields.Strict):
    """Whose case it is."""

    def __init__(self, *args: Any, members: Iterable[Member], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fitting = [one for one in members if care.ROLE_NEEDED[care.COUNSELOR] & set(one.roles)]
        self.by_id = {str(one.pk): one for one in fitting}
        self.fields["counselor"] = forms.ChoiceField(
            label=_("Counselor"), choices=[(key, one.name) for key, one in self.by_id.items()]
        )

    def member(self) -> Member:
        """Who was chosen."""
        return self.by_id[self.cleaned_data["counselor"]]


class Related(fields.Strict):
    """Who else has to do with it, and as what."""

    KINDS = (care.CO_COUNSELOR, care.SUPERVISOR, care.NAMED)

    def __init__(self, *args: Any, members: Iterable[Member], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.by_id = {str(one.pk): one for one in members}
        self.fields["member"] = forms.ChoiceField(
            label=_("Who"), choices=[(key, one.name) for key, one in self.by_id.items()]
        )
        self.fields["kind"] = forms.ChoiceField(
            label=_("As what"),
            choices=[
                (care.CO_COUNSELOR, _("co-counselor: reads the record, and counsels too")),
                (care.SUPERVISOR, _("supervisor: reads the record, changes nothing")),
                (care.NAMED, _("named: may know of a restricted case, reads nothing")),
            ],
            widget=forms.RadioSelect,
            error_messages={"required": _("Please choose one of these.")},
        )

    def member(self) -> Member:
        """Who was chosen."""
        return self.by_id[self.cleaned_data["member"]]


class Reason(fields.Strict):
    """Why somebody opens a case that they don't care for."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"] = fields.text_field(
            limit=care.MOST_REASON,
            label=_("Why do you have to open it now?"),
            help_text=_("At least ten characters. It is kept on record, and can't be changed."),
        )

    def clean_reason(self) -> str:
        """Refuses what says too little."""
        text = str(self.cleaned_data["reason"]).strip()
        try:
            care.check_reason(text)
        except care.NotAllowed:
            raise ValidationError(_("Please say it in at least ten characters.")) from None
        return text
