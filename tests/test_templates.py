"""What holds for every page template, read as text: it is cheaper than to visit each page."""

import re
from pathlib import Path

import pytest
from django.template.loader import get_template

TEMPLATES = Path(__file__).resolve().parent.parent / "templates"
ALL = sorted(path.relative_to(TEMPLATES).as_posix() for path in TEMPLATES.rglob("*.html"))
# Mail programs know no style sheet of ours, so mails are the one place for inline styles.
PAGES = [name for name in ALL if not name.endswith("_email.html")]
PARTIALS = [name for name in PAGES if Path(name).name.startswith("_")]


@pytest.mark.parametrize("name", ALL)
def test_a_template_compiles(name: str) -> None:
    get_template(name)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_brings_nothing_that_the_content_policy_forbids(name: str) -> None:
    text = (TEMPLATES / name).read_text()
    assert not re.search(r"\sstyle=|<style", text), "inline style"
    assert not re.search(r"\son[a-z]+=[\"']|javascript:|hx-on", text), "inline script"
    assert not re.search(r"<script(?![^>]*\ssrc=)", text), "inline script"


@pytest.mark.parametrize("name", PAGES)
def test_a_page_asks_no_other_host(name: str) -> None:
    text = (TEMPLATES / name).read_text()
    assert not re.search(r"""(src|href|action)=["'](https?:)?//""", text)


@pytest.mark.parametrize("name", PARTIALS)
def test_a_partial_says_which_variables_it_takes(name: str) -> None:
    assert (TEMPLATES / name).read_text().startswith("{% comment %}")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_one_main_heading_at_most(name: str) -> None:
    text = re.sub(r"{% if .*?{% endif %}", "", (TEMPLATES / name).read_text(), flags=re.DOTALL)
    assert text.count("<h1") <= 1


@pytest.mark.parametrize("name", ["400.html", "500.html", "503.html"])
def test_an_error_page_needs_no_request_and_no_database(name: str) -> None:
    page = get_template(name).render()
    assert "<h1>" in page
    assert "duet/css/duet.css" in page
