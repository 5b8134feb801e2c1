"""No surface takes files: a file part is refused as soon as its head is read."""

from typing import NoReturn

from django.core.exceptions import BadRequest
from django.core.files.uploadhandler import FileUploadHandler
from django.utils.translation import gettext as _


class FileRefused(BadRequest):
    """A request with a file in it; `sentence` names its field."""

    def __init__(self, field: str) -> None:
        super().__init__("A file was sent.")
        self.sentence = _("No files are taken here: leave out “%(field)s”.") % {"field": field}


class NoFiles(FileUploadHandler):
    """The one upload handler: nothing of a file reaches memory or disk."""

    def new_file(self, field_name: str, *_args: object, **_kwargs: object) -> NoReturn:
        """Refuses (FileRefused) every file, before its first byte."""
        raise FileRefused(field_name[:100])

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Never called: there is no file to receive."""

    def file_complete(self, file_size: int) -> None:
        """As above."""
