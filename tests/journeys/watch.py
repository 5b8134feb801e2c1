"""Watches a browser while somebody uses it: what a page asks of others, says, breaks or keeps."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Request, Response, WebError

# Chromium says this of every refused form too; answers to anything but a page are checked below.
_REFUSED_PAGE = "Failed to load resource: the server responded with a status of 4"
_TELL_VIOLATIONS = """
addEventListener("securitypolicyviolation", (event) =>
  console.error(`CSP: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`));
"""
# A choice about shortcuts, made on the desk; it says nothing of anybody.
_MAY_BE_KEPT = {"duet-keys-off"}
# htmx keeps the path of the page for this tab. Fine for a list of times; a link is a secret.
_PATH_KEPT = "htmx-current-path-for-history"


@dataclass
class Watch:
    """Collects what no page of the site may do."""

    origin: str
    faults: list[str] = field(default_factory=list)

    def follow(self, context: BrowserContext) -> None:
        """Listen to everything that happens in this browser from now on."""
        context.add_init_script(_TELL_VIOLATIONS)
        context.on("console", self._said)
        context.on("weberror", self._broke)
        context.on("request", self._asked)
        context.on("response", self._answered)

    def look_into(self, context: BrowserContext) -> None:
        """Note what its pages left in the browser's own stores."""
        for origin in context.storage_state().get("origins", []):
            for item in origin.get("localStorage", []):
                if item["name"] not in _MAY_BE_KEPT:
                    self.faults.append(f"localStorage keeps {item['name']}")
        for page in context.pages:
            if page.url.startswith("http"):
                kept: dict[str, str] = page.evaluate(
                    "Object.fromEntries(Object.entries(sessionStorage))"
                )
                self.faults += [
                    f"sessionStorage of {page.url} keeps {name}: {value}"
                    for name, value in kept.items()
                    if name != _PATH_KEPT or value.startswith("/a/")
                ]

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not message.text.startswith(_REFUSED_PAGE):
            self.faults.append(f"console: {message.text}")

    def _broke(self, error: WebError) -> None:
        self.faults.append(f"script: {error.error}")

    def _asked(self, request: Request) -> None:
        if urlsplit(request.url).netloc != urlsplit(self.origin).netloc:
            self.faults.append(f"asked another host: {request.url}")

    def _answered(self, response: Response) -> None:
        page = response.request.is_navigation_request()
        if response.status >= (500 if page else 400):
            self.faults.append(f"{response.status} from {response.request.method} {response.url}")
