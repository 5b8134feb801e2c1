"""Routes of what clients are asked to fill in, and of what members read of it."""

from django.urls import URLPattern, URLResolver, path, re_path, register_converter

from intake.views import change, cycle, filling, taking, together

app_name = "intake"


class TokenConverter:
    """A link's token: what `secrets.token_urlsafe` makes, and nothing else."""

    regex = "[A-Za-z0-9_-]{20,64}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(TokenConverter, "intake_token")

urlpatterns: list[URLPattern | URLResolver] = [
    path("desk/cases/<uuid:pk>/cycle/", cycle.cycle, name="cycle"),
    path("desk/cases/<uuid:pk>/cycle/release/", cycle.release, name="cycle-release"),
    path("desk/cases/<uuid:pk>/cycle/withdraw/", cycle.withdraw, name="cycle-withdraw"),
    path("desk/cases/<uuid:pk>/change/", change.change, name="change"),
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
