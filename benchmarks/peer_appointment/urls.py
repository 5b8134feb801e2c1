"""The peer's routes, where its documentation puts them."""

from django.urls import include, path

urlpatterns = [path("appointment/", include("appointment.urls"))]
