"""Who somebody is by name and password, or by e-mail address and password."""

import unicodedata

from django.contrib.auth import get_user_model
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import AbstractUser
from django.http import HttpRequest


def find(typed: str) -> AbstractUser | None:
    """The active user with this name or e-mail address, in any case; None unless it is one."""
    text = unicodedata.normalize("NFKC", typed).strip()
    if not text:
        return None
    field = "email" if "@" in text else "username"
    found = get_user_model().objects.filter(**{f"{field}__iexact": text}, is_active=True)[:2]
    return found[0] if len(found) == 1 else None


class MemberBackend(ModelBackend):
    """One password is hashed for every try, whoever it names: the time tells nothing.

    Django's own and django-allauth's hash twice or not at all for some.
    """

    def authenticate(  # type: ignore[override]
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **others: object,
    ) -> AbstractUser | None:
        """The user, or None: nobody by this name, not active, or another password."""
        if username is None or password is None:
            return None
        user = find(username)
        if user is None or not user.has_usable_password():
            get_user_model()().set_password(password)
            return None
        return user if user.check_password(password) else None
