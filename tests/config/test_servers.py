import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connection


@pytest.mark.django_db
def test_each_test_process_has_a_database_of_its_own():
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_database()")
        (name,) = cursor.fetchone()
    assert name.startswith("test_duet_")


def test_the_cache_is_redis_and_counts():
    cache.set("n", 1)
    assert cache.incr("n") == 2
    assert settings.DUET["MODE"] == "demo"
