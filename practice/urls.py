"""Routes of the public pages and of the desk; every page is reversed by its name here."""

from collections.abc import Callable

from django.http import HttpResponseBase
from django.urls import URLPattern, URLResolver, include, path, re_path, register_converter
from django.views.decorators.http import conditional_page

from clients import doors
from clients.api.endpoint import Endpoint, Unknown
from practice.api import (
    appointments,
    assignments,
    attendances,
    bookings,
    offered,
    schema,
    services,
    working_hours,
)
from practice.views import (
    access,
    appointment,
    attendance,
    booking,
    by_hand,
    care,
    cases,
    data_requests,
    desk,
    details,
    flags,
    form_rules,
    forms,
    glass,
    intake_queue,
    leaving,
    notices,
    person_code,
    public,
    responses,
)
from practice.views.portal import contact, home, proof, record, sessions, sign_in

app_name = "practice"


class TokenConverter:
    """A link's token: what `secrets.token_urlsafe` makes, and nothing else."""

    regex = "[A-Za-z0-9_-]{20,64}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(TokenConverter, "token")


def _cached(endpoint: type[Endpoint]) -> Callable[..., HttpResponseBase]:
    """A public endpoint whose answers carry an ETag."""
    return doors.public(conditional_page(endpoint.as_view()))


def _own(endpoint: type[Endpoint]) -> Callable[..., HttpResponseBase]:
    """An endpoint that the token in its address opens."""
    return doors.by_link(endpoint.as_view())


def _members(endpoint: type[Endpoint]) -> Callable[..., HttpResponseBase]:
    """An endpoint for members of the practice."""
    return doors.desk_api(endpoint.as_view())


api: list[URLPattern] = [
    path("services/", _cached(services.Services), name="api-services"),
    path("services/<slug:slug>/", _members(services.One), name="api-service"),
    path("working-hours/", _members(working_hours.All), name="api-working-hours"),
    path("working-hours/<slug:slug>/", _members(working_hours.One), name="api-working-hours-of"),
    path("counselors/", _cached(offered.Counselors), name="api-counselors"),
    path("slots/", _cached(offered.Slots), name="api-slots"),
    path("holds/", doors.public(bookings.Holds.as_view()), name="api-holds"),
    path("holds/<token:token>/", doors.public(bookings.Hold.as_view()), name="api-hold"),
    path("bookings/", doors.public(bookings.Bookings.as_view()), name="api-bookings"),
    path("assignments/", _members(assignments.Assignments), name="api-assignments"),
    path("appointments/", _members(appointments.Appointments), name="api-appointments"),
    path("appointments/<uuid:pk>/", _members(appointments.One), name="api-appointment"),
    path("attendances/<token:token>/", _own(attendances.Attendance), name="api-attendance"),
    path("attendances/<token:token>/confirm/", _own(attendances.Confirm), name="api-confirm"),
    path("attendances/<token:token>/move/", _own(attendances.Move), name="api-move"),
    path("attendances/<token:token>/cancel/", _own(attendances.Cancel), name="api-cancel"),
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("api/v1/", include(api)),
    # The API answers in its own words, also where there is nothing.
    re_path(r"^api/v1/", doors.public(Unknown.as_view()), name="api-unknown"),
    path("", public.home, name="home"),
    path("book/", public.book, name="book"),
    path("book/hold/", booking.hold, name="hold"),
    path("book/release/", booking.release, name="release"),
    path("book/details/", details.details, name="details"),
    path("book/done/", details.done, name="done"),
    # After a POST the token leaves the address: the session remembers whose page it is.
    path("a/", attendance.mine, name="attendance-mine"),
    path("a/confirm/", attendance.mine_confirm, name="attendance-mine-confirm"),
    path("a/move/", attendance.mine_move, name="attendance-mine-move"),
    path("a/cancel/", attendance.mine_cancel, name="attendance-mine-cancel"),
    path("a/portal/", attendance.mine_portal, name="attendance-mine-portal"),
    path("a/appointment.ics", attendance.mine_calendar, name="attendance-mine-calendar"),
    path("a/<token:token>/", attendance.page, name="attendance"),
    path("a/<token:token>/confirm/", attendance.confirm, name="attendance-confirm"),
    path("a/<token:token>/move/", attendance.move, name="attendance-move"),
    path("a/<token:token>/cancel/", attendance.cancel, name="attendance-cancel"),
    path("a/<token:token>/portal/", attendance.portal, name="attendance-portal"),
    path("a/<token:token>/appointment.ics", attendance.calendar, name="attendance-calendar"),
    # Anything else under /a/ is an old or mistyped link: the same page for all of them.
    re_path(r"^a/.+$", attendance.unknown, name="attendance-unknown"),
    path("exit/", leaving.leave, name="exit"),
    path("exit/help/", leaving.what_it_does, name="exit-help"),
    path("portal/", sign_in.ask, name="portal"),
    path("portal/sent/", sign_in.sent, name="portal-sent"),
    path("portal/passkey/", sign_in.with_passkey, name="portal-passkey"),
    path("portal/in/<token:token>/", sign_in.by_link, name="portal-in"),
    # As with an attendee's links: one page for all that don't work.
    re_path(r"^portal/in/[\s\S]*$", sign_in.unknown, name="portal-in-unknown"),
    path("portal/sign-out/", sign_in.sign_out, name="portal-sign-out"),
    path("portal/mine/", home.mine, name="portal-mine"),
    path("portal/appointments/<uuid:pk>/", home.appointment, name="portal-appointment"),
    path("portal/consents/", home.consents, name="portal-consents"),
    path("portal/answers/", home.answers, name="portal-answers"),
    path("portal/looks/", home.looks, name="portal-looks"),
    path("portal/safe-contact/", contact.safe_contact, name="portal-safe-contact"),
    path("portal/contact/", contact.contact, name="portal-contact"),
    path("portal/sessions/", sessions.sessions, name="portal-sessions"),
    path("portal/sessions/end/", sessions.end_others, name="portal-sessions-end"),
    path("portal/sessions/<uuid:pk>/end/", sessions.end, name="portal-session-end"),
    path("portal/requests/", record.requests, name="portal-requests"),
    path("portal/copy/", record.copy, name="portal-copy"),
    path("portal/prove/", proof.prove, name="portal-prove"),
    path("portal/prove/passkey/", proof.prove_with_passkey, name="portal-prove-passkey"),
    path("portal/pin/", proof.first_pin, name="portal-pin"),
    path("portal/proofs/", proof.proofs, name="portal-proofs"),
    path("portal/proofs/pin/", proof.other_pin, name="portal-pin-other"),
    path("portal/proofs/pin/remove/", proof.no_pin, name="portal-pin-remove"),
    path("portal/proofs/passkeys/", proof.add_passkey, name="portal-passkey-add"),
    path(
        "portal/proofs/passkeys/<uuid:pk>/remove/",
        proof.remove_passkey,
        name="portal-passkey-remove",
    ),
    path("desk/", desk.today, name="desk"),
    path("desk/notices/<uuid:pk>/seen/", notices.seen, name="desk-notice-seen"),
    path("desk/access/", access.access, name="desk-access"),
    path("desk/requests/", data_requests.requests, name="desk-requests"),
    path("desk/requests/<uuid:pk>/answer/", data_requests.answer, name="desk-request-answer"),
    path("desk/book/", by_hand.book, name="desk-book"),
    path("desk/appointments/<uuid:pk>/", appointment.appointment, name="desk-appointment"),
    path("desk/appointments/<uuid:pk>/accept/", appointment.accept, name="desk-accept"),
    path("desk/appointments/<uuid:pk>/cancel/", appointment.cancel, name="desk-cancel"),
    path("desk/appointments/<uuid:pk>/move/", by_hand.move, name="desk-move"),
    path("desk/appointments/<uuid:pk>/close/", appointment.close, name="desk-close"),
    path("desk/persons/<uuid:pk>/code/", person_code.code, name="desk-code"),
    path("desk/persons/<uuid:pk>/sessions/", person_code.end_sessions, name="desk-sessions"),
    path("desk/attendances/<uuid:pk>/open-gate/", appointment.open_gate, name="desk-open-gate"),
    path("desk/cases/", cases.cases, name="desk-cases"),
    path("desk/cases/<uuid:pk>/", cases.case, name="desk-case"),
    path("desk/cases/<uuid:pk>/open/", glass.break_glass, name="desk-glass"),
    path("desk/cases/<uuid:pk>/care/", care.team, name="desk-care"),
    path("desk/cases/<uuid:pk>/care/counselor/", care.assign, name="desk-care-counselor"),
    path("desk/cases/<uuid:pk>/care/add/", care.relate, name="desk-care-add"),
    path("desk/cases/<uuid:pk>/restrict/", care.restrict, name="desk-restrict"),
    path("desk/cases/<uuid:pk>/lift/", care.lift, name="desk-lift"),
    path("desk/cases/<uuid:pk>/close/", care.close, name="desk-case-close"),
    path("desk/cases/<uuid:pk>/reopen/", care.reopen, name="desk-case-reopen"),
    path("desk/cases/<uuid:pk>/forms/", forms.of_case, name="desk-forms"),
    path("desk/forms/<uuid:pk>/withdraw/", forms.withdraw, name="desk-form-withdraw"),
    path("desk/intakes/<uuid:pk>/again/", forms.ask_again, name="desk-form-again"),
    path("desk/care/<uuid:pk>/end/", care.end, name="desk-care-end"),
    path("desk/settings/forms/", form_rules.rules, name="desk-form-rules"),
    path("desk/settings/forms/kept/", form_rules.keep, name="desk-form-rules-kept"),
    path("desk/settings/forms/<uuid:pk>/", form_rules.change, name="desk-form-rule"),
    path("desk/settings/forms/<uuid:pk>/switch/", form_rules.switch, name="desk-form-rule-switch"),
    path("desk/intake/", intake_queue.queue, name="desk-intake"),
    path("desk/intake/<uuid:pk>/", intake_queue.review, name="desk-review"),
    path("desk/intake/<uuid:pk>/claim/", intake_queue.claim, name="desk-review-claim"),
    path("desk/intake/<uuid:pk>/take-over/", intake_queue.take_over, name="desk-review-take-over"),
    path("desk/intake/<uuid:pk>/release/", intake_queue.release, name="desk-review-release"),
    path("desk/intake/<uuid:pk>/ask/", intake_queue.ask, name="desk-review-ask"),
    path("desk/intake/<uuid:pk>/accept/", intake_queue.accept, name="desk-review-accept"),
    path("desk/intake/<uuid:pk>/decline/", intake_queue.decline, name="desk-review-decline"),
    path("desk/intake/<uuid:pk>/waitlist/", intake_queue.waitlist, name="desk-review-waitlist"),
    path("desk/intake/<uuid:pk>/resume/", intake_queue.resume, name="desk-review-resume"),
    path("desk/responses/<uuid:pk>/", responses.response, name="desk-response"),
    path("desk/flags/<uuid:pk>/", flags.flag, name="desk-flag"),
    path("desk/flags/<uuid:pk>/seen/", flags.see, name="desk-flag-seen"),
    path("desk/flags/<uuid:pk>/close/", flags.close, name="desk-flag-close"),
    path("api/schema/", doors.public(schema.Schema.as_view()), name="api-schema"),
    path("api/docs/", schema.docs, name="api-docs"),
]
