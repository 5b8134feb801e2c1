"""Routes of what clients are asked to fill in, and of what members read of it."""

from collections.abc import Callable

from django.http import HttpResponseBase
from django.urls import URLPattern, URLResolver, include, path, re_path, register_converter

from clients import doors
from clients.api.endpoint import Endpoint
from intake.api import fhir, instruments, responses
from intake.views import change, csv_export, cycle, filling, taking, together

app_name = "intake"


class TokenConverter:
    """A link's token: what `secrets.token_urlsafe` makes, and nothing else."""

    regex = "[A-Za-z0-9_-]{20,64}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(TokenConverter, "intake_token")


def _members(endpoint: type[Endpoint]) -> Callable[..., HttpResponseBase]:
    """An endpoint for members of the practice."""
    return doors.desk_api(endpoint.as_view())


# `assignments/` is the hub's: whoever is given something there is told of it.
api: list[URLPattern] = [
    path("instruments/", _members(instruments.Instruments), name="api-instruments"),
    path("instruments/<slug:slug>/", _members(instruments.One), name="api-instrument"),
    path("responses/", _members(responses.Responses), name="api-responses"),
    path("responses/<uuid:pk>/", _members(responses.One), name="api-response"),
    path("scores/", _members(responses.Scores), name="api-scores"),
    path("fhir/Questionnaire", _members(fhir.Questionnaires), name="fhir-questionnaires"),
    path("fhir/Questionnaire/<slug:slug>", _members(fhir.Questionnaire), name="fhir-questionnaire"),
    path("fhir/QuestionnaireResponse", _members(fhir.Responses), name="fhir-responses"),
    path("fhir/QuestionnaireResponse/<uuid:pk>", _members(fhir.OneResponse), name="fhir-response"),
    path("fhir/Observation", _members(fhir.Observations), name="fhir-observations"),
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("api/v1/", include(api)),
    path("desk/cases/<uuid:pk>/cycle/", cycle.cycle, name="cycle"),
    path("desk/cases/<uuid:pk>/cycle/release/", cycle.release, name="cycle-release"),
    path("desk/cases/<uuid:pk>/cycle/withdraw/", cycle.withdraw, name="cycle-withdraw"),
    path("desk/cases/<uuid:pk>/change/", change.change, name="change"),
    path("desk/cases/<uuid:pk>/responses.csv", csv_export.responses_csv, name="responses-csv"),
    path("portal/together/", together.together, name="together"),
    path("portal/reflection/", together.reflection, name="reflection"),
    path("portal/sharing/", together.sharing, name="sharing"),
    # After a POST the token leaves the address: the session remembers whose forms they are.
    path("i/", taking.mine, name="mine"),
    path("i/policy/", taking.policy, name="policy"),
    path("i/later/", taking.later, name="later"),
    path("i/<uuid:pk>/", filling.resume, name="form"),
    path("i/<uuid:pk>/<int:number>/", filling.page, name="page"),
    path("i/<uuid:pk>/<int:number>/save/", filling.save, name="save"),
    path("i/<uuid:pk>/<int:number>/help/", filling.help_now, name="help"),
    path("i/<uuid:pk>/review/", filling.review, name="review"),
    path("i/<uuid:pk>/sent/", filling.sent, name="sent"),
    path("i/<intake_token:token>/", taking.start, name="start"),
    # Anything else under /i/ is an old or mistyped link: the same page for all of them.
    re_path(r"^i/[\s\S]+$", taking.unknown, name="unknown"),
]
