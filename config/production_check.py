"""`python -m config.production_check`: Django's deployment check with production settings.

It makes keys of its own for the moment, so it needs no environment and no server.
"""

import os
import secrets

from django.core.management import execute_from_command_line

from config import state


def main() -> None:
    for name in [name for name in os.environ if name.startswith("DUET_")]:
        del os.environ[name]
    os.environ.update(
        DJANGO_SETTINGS_MODULE="config.settings",
        DUET_MODE="production",
        DUET_SECRET_KEY=secrets.token_urlsafe(50),
        DUET_NOTES_KEY=state.new_notes_key(),
        DUET_BASE_URL="https://practice.example",
        DUET_FROM_EMAIL="practice@practice.example",
        EMAIL_URL="smtp+tls://mail.practice.example",
    )
    execute_from_command_line(["manage.py", "check", "--deploy", "--fail-level", "WARNING"])


if __name__ == "__main__":
    main()
