"""Passwords that are common words with figures around them."""

import re

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.password_validation import CommonPasswordValidator
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

_FILLING = re.compile(r"[\W\d_]+")


class CommonCoreValidator(CommonPasswordValidator):
    """Django's list is of short passwords: `password123456789` isn't on it, what it hides is."""

    def validate(self, password: str, user: AbstractBaseUser | None = None) -> None:
        """Refuses a password whose letters alone are a common one, or that has none."""
        core = _FILLING.sub("", password.lower())
        if not core or core in self.passwords:
            raise ValidationError(self.get_help_text(), code="password_too_common")

    def get_help_text(self) -> str:
        return _("A common word with figures around it is guessed soon. Take a few words instead.")
