"""The API's page in a browser: it shows the schema, asks nobody else, and breaks no policy."""

import os
from pathlib import Path

import pytest
from django.test import Client
from playwright.sync_api import expect

from tests.journeys.conftest import House, OpenBrowser

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("phone", [False, True])
def test_the_page_shows_every_operation_and_tries_one(
    open_browser: OpenBrowser, house: House, phone: bool
) -> None:
    page = open_browser(phone=phone)
    page.goto("/api/docs/")
    operations = page.locator(".opblock")
    paths = Client().get("/api/schema/", {"format": "json"}).json()["paths"]
    expect(operations).to_have_count(sum(len(methods) for methods in paths.values()))
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    offered = page.get_by_role("button", name="GET /api/v1/services/", exact=True)
    services = operations.filter(has=offered)
    services.locator(".opblock-summary-control").click()
    services.get_by_role("button", name="Try it out").click()
    services.get_by_role("button", name="Execute").click()
    expect(services.locator(".live-responses-table td.response-col_status").last).to_contain_text(
        "200"
    )
    expect(services.locator(".live-responses-table")).to_contain_text("first-conversation")
    if folder := os.environ.get("SCREENS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        name = f"api-docs.{'phone' if phone else 'desktop'}.png"
        page.screenshot(path=Path(folder) / name, full_page=True)


def test_without_scripts_the_page_names_the_schema(open_browser: OpenBrowser, house: House) -> None:
    page = open_browser(javascript=False)
    page.goto("/api/docs/")
    expect(page.get_by_role("link", name="/api/schema/")).to_be_visible()
