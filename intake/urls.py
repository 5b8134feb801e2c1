"""Routes of what clients are asked to fill in, and of what members read of it."""

from django.urls import URLPattern, URLResolver

app_name = "intake"

urlpatterns: list[URLPattern | URLResolver] = []
