"""Pages of a list: by a moment and an id, so that what comes in meanwhile moves nothing."""

from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import urlencode
from uuid import UUID

from django.core import signing
from django.db.models import Model, Q, QuerySet
from rest_framework.request import Request

PAGE, MOST_PAGE = 50, 100

Row = TypeVar("Row", bound=Model)


def page(
    request: Request, rows: "QuerySet[Row, Row]", asked: dict[str, Any], *, by: str, salt: str
) -> tuple[list[Row], str | None]:
    """The rows of one page in the order of the moment `by`, and the address of the next page.

    `asked` is the checked query: its `page_size`, and its `cursor` as `fields.Cursor` reads it.
    """
    size = asked.get("page_size") or PAGE
    place: tuple[datetime, UUID] | None = asked.get("cursor")
    if place:
        moment, pk = place
        rows = rows.filter(Q(**{f"{by}__gt": moment}) | Q(**{by: moment, "pk__gt": pk}))
    found = list(rows.order_by(by, "pk")[: size + 1])
    if len(found) <= size:
        return found, None
    last = found[size - 1]
    cursor = signing.dumps([getattr(last, by).isoformat(), str(last.pk)], salt=salt)
    query = {**request.query_params.dict(), "cursor": cursor}
    return found[:size], f"{request.path}?{urlencode(query)}"
