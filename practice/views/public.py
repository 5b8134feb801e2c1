"""The first page and the open times."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from clients import doors


@doors.public
def home(request: HttpRequest) -> HttpResponse:
    """The question people come with, and the way to a time."""
    return render(request, "duet/practice/home.html")


@doors.visitor
def book(request: HttpRequest) -> HttpResponse:
    """What can be booked, and when."""
    return render(request, "duet/practice/home.html")
