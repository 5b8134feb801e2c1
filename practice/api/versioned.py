"""`ETag` and `If-Match`: nobody changes over what they haven't seen."""

from django.utils.http import parse_etags
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response

from clients.api import problems

IF_MATCH = OpenApiParameter(
    "If-Match",
    {"type": "string", "minLength": 1},
    OpenApiParameter.HEADER,
    required=True,
    description="The `ETag` of what was read, or several of them, or `*` for whatever is there.",
)


def seen(request: Request) -> list[str]:
    """The tags of what the sender has read. Refuses (Problem, 400) who doesn't say."""
    said = request.headers.get("If-Match", "").strip()
    if not said:
        title = _("Say with If-Match which version you have read.")
        raise problems.Problem("malformed", 400, detail=title, errors={"If-Match": [title]})
    return parse_etags(said)


def check(seen: list[str], version: str) -> None:
    """Refuses (Problem, 412) unless this version is among what was seen.

    Compared as RFC 9110 has it for `If-Match`: a weak tag, `W/"..."`, is never the same.
    """
    if "*" not in seen and _tag(version) not in seen:
        raise changed()


def told(answer: dict[str, object], version: str, status: int = 200) -> Response:
    """An answer that says which version it is."""
    return Response(answer, status, headers={"ETag": _tag(version)})


def _tag(version: str) -> str:
    return f'"{version}"'


def changed() -> problems.Problem:
    """The refusal of a change to what is another by now."""
    title = _("Somebody else has changed this. Read it again first.")
    return problems.Problem("changed", 412, title)
