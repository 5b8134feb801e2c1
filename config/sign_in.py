"""Sign-in of members, with limits on tries that do not tell which accounts exist."""

import unicodedata
from collections.abc import Callable

from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from clients import limits
from clients.limits import Limit, TooMany

# An office behind one address signs in within these; a password of twelve letters is not guessed.
BY_ADDRESS = Limit("sign_in_address", 60, 900)
# One address at one name. Another address may go on: nobody locks a member out from elsewhere.
BY_NAME_AND_ADDRESS = Limit("sign_in_both", 10, 900)
# One name from everywhere.
BY_NAME = Limit("sign_in_name", 100, 900)


class Belt(LoginRequiredMiddleware):
    """Django's own, but what is public is let through before anybody asks who is signed in.

    Else a session's cookie would cost public answers a statement each, and shared caches their use.
    """

    def process_view(
        self,
        request: HttpRequest,
        view_func: Callable[..., HttpResponseBase],
        view_args: tuple[object, ...],
        view_kwargs: dict[str, object],
    ) -> HttpResponseBase | None:
        """None, or the way to the sign-in page."""
        if not getattr(view_func, "login_required", True):
            return None
        return super().process_view(request, view_func, view_args, view_kwargs)


class SignIn(LoginView):
    """Django's own page, counted before a password is looked at."""

    template_name = "duet/accounts/login.html"
    redirect_authenticated_user = True

    def post(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        """Refuses (429) by what was typed alone, so that the answer is the same for any name."""
        typed = request.POST.get("username", "")[:254]
        try:
            _count(request, typed)
        except TooMany as refused:
            form = self.authentication_form or self.form_class
            context = self.get_context_data(
                form=form(request, initial={"username": typed}), refusal=refused.sentence
            )
            return refused.mark(self.render_to_response(context))
        return super().post(request, *args, **kwargs)


def _count(request: HttpRequest, typed: str) -> None:
    name = unicodedata.normalize("NFKC", typed).casefold().strip()
    limits.check(request, BY_ADDRESS)
    limits.check_key(BY_NAME_AND_ADDRESS, f"{limits.address_of(request)} {name}")
    limits.check_key(BY_NAME, name)
