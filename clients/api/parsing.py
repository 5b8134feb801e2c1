"""What the API reads and writes: strict JSON, whatever else was asked for."""

from collections.abc import Mapping, Sequence
from typing import IO, Any

from django.utils.http import parse_header_parameters
from django.utils.translation import gettext as _
from rest_framework.exceptions import APIException, ParseError, UnsupportedMediaType
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from clients.rules import strict_json


class TooLarge(APIException):
    """The body is longer than the parser reads."""

    status_code = 413
    default_detail = "The text is longer than 1 MB."


class StrictJSONParser(BaseParser):
    """`clients.rules.strict_json`, for bodies that are sent plain and in UTF-8."""

    media_type = "application/json"

    def parse(  # type: ignore[override] # any value: a serializer checks it
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> object:
        """Refuses (415) packed bodies and other encodings, (413) long ones, (400) the rest."""
        request = (parser_context or {})["request"]
        self._check_headers(request, media_type or "")
        # One byte more than is allowed tells a body that is too long, whatever its header says.
        try:
            body = stream.read(strict_json.LARGEST_BODY + 1)
        except OSError:
            raise ParseError("The text broke off.") from None
        if len(body) > strict_json.LARGEST_BODY:
            raise TooLarge
        try:
            return strict_json.loads(body)
        except strict_json.Refused as refused:
            raise ParseError(refused.sentence) from None

    def _check_headers(self, request: Request, media_type: str) -> None:
        _sort, parameters = parse_header_parameters(media_type)
        if parameters.get("charset", "utf-8").lower() not in ("utf-8", "utf8"):
            raise UnsupportedMediaType(media_type)
        if request.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise UnsupportedMediaType(media_type, _("Please send the body plain, not packed."))


class AlwaysFirst(BaseContentNegotiation):
    """The API speaks JSON, also to those who ask for something else: no Accept header fails."""

    def select_parser(self, request: Request, parsers: Sequence[BaseParser]) -> BaseParser | None:  # type: ignore[override]
        """The parser for the body's media type, or None."""
        sent = (request.content_type or "").partition(";")[0].strip().lower()
        return next((one for one in parsers if one.media_type == sent), None)

    def select_renderer(  # type: ignore[override]
        self,
        request: Request,
        renderers: Sequence[BaseRenderer],
        format_suffix: str | None = None,
    ) -> tuple[BaseRenderer, str]:
        """The one renderer."""
        return renderers[0], renderers[0].media_type or ""
