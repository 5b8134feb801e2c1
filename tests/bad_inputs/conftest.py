"""The practice and the callers of the API's and the pages' tests."""

from tests.practice.api.conftest import api
from tests.practice.views.conftest import clock, iris, practice, talk

__all__ = ["api", "clock", "iris", "practice", "talk"]
