"""What clients read around the questions: who will see it, how it is kept, what they answered."""

from collections.abc import Mapping

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from intake.models import CasePolicy
from intake.rules import given
from intake.rules.answers import Answered, is_answered
from intake.rules.definition import WITH_OPTIONS, Definition, Item
from intake.rules.taking import SHARE_ITEM

# All texts of a form in the language of its reader, by key.
Texts = Mapping[str, str]


def title(texts: Texts) -> str:
    """What a form is called to those who fill it in."""
    return texts.get("client_title") or texts["title"]


def who_sees(definition: Definition, *, guarded: bool) -> list[str]:
    """Who will see the answers: before each section, so that nobody has to guess."""
    if guarded:
        return [
            _("Only the counselor who works with you sees these answers."),
            _("They are never shown to your partner, whatever else you agree to."),
        ]
    if definition.visibility == "staff":
        return [
            _("Your counselor and those at the practice who prepare your first session see these."),
            _("Your partner doesn't."),
        ]
    sentences = [
        _("Your counselor sees these answers, with the clinicians who share your care."),
        _("Your partner doesn't, and neither does the front desk."),
    ]
    if definition.item(SHARE_ITEM) is not None:
        sentences.append(
            _("A summary is shown to the two of you only if each of you agrees to it, separately.")
        )
    return sentences


def policy(kind: str) -> list[str]:
    """How what somebody says alone is kept, in paragraphs. It is stored as it was read."""
    if kind == CasePolicy.Kind.NO_SECRETS:
        first = [
            _("Your counselor works for the two of you, and keeps no secrets between you."),
            _(
                "What you say or write alone may be brought into the sessions where your work"
                " together needs it. Your counselor speaks with you first, so that you can say it"
                " yourself."
            ),
        ]
    else:
        first = [
            _("Your counselor works for the two of you, and also listens to each of you alone."),
            _(
                "What you say or write alone isn't passed on just like that. Your counselor"
                " decides with care what can stay with them. If your work together needs it, they"
                " speak with you first."
            ),
        ]
    return [
        *first,
        _(
            "Two things are outside of this and are never shared with your partner: the first"
            " short questions, which are for you alone, and how we may reach you safely."
        ),
    ]


def said(definition: Definition, item: Item, answer: Answered | None, texts: Texts) -> str:
    """An answer as a person reads it."""
    if answer is None or not is_answered(answer):
        return ""
    if answer.non:
        return texts[f"scales.{item.scale}.{answer.non}"]
    chosen = answer.value if item.kind == "multi" else [answer.value]
    if item.kind in WITH_OPTIONS:
        # Of an open choice, words of one's own have no label.
        return ", ".join(texts.get(f"scales.{item.scale}.{one}", str(one)) for one in chosen)
    if item.kind == "boolean":
        return _("Yes") if answer.value else _("No")
    if item.kind == "consent":
        return _("Yes, I agree")
    if item.kind == "date":
        return _day(answer.value)
    if item.kind == "date_time":
        day, _sep, clock = answer.value.partition("T")
        return f"{_day(day)}, {clock}"
    return str(answer.value)


def _day(iso: str) -> str:
    return date_format(given.day(iso), "DATE_FORMAT", use_l10n=True)


def wrong(code: str, limit: object) -> str:
    """Why an answer can't be taken, and what to do."""
    return {
        "choice": _("Please choose one of the answers shown."),
        "several": _("Please choose one answer only."),
        "consent": _("Please tick the box if you agree."),
        "number": _("Please write a number, in digits."),
        "least": _("Please write a number of at least %(limit)s.") % {"limit": limit},
        "most": _("Please write a number of at most %(limit)s.") % {"limit": limit},
        "date": _("Please write a day, a month and a year that there is."),
        "future": _("This day lies ahead. Please write one in the past."),
        "time": _("Please write a time, such as 14:30."),
        "address": _("Please write a whole address that starts with https://"),
        "line_break": _("Please write this on one line."),
        "too_long": _("Please use at most %(limit)s characters.") % {"limit": limit},
        "characters": _("Please leave out characters that can't be shown."),
        "hidden": _("This isn't asked after what you answered before."),
        "required": _("Please answer this before you go on."),
    }.get(code, _("Please look at this answer again."))
