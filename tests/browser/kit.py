"""
How pages are looked at: in both languages, wide and narrow, light and dark; and what must hold for each look.

`assert_look(page, name)` is for the page as it stands; `assert_looks_right(member_page, "/app/members", "members")` opens a page in each
language and checks all eight looks.
"""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from playwright.sync_api import BrowserContext, ConsoleMessage, Dialog, Page, Request, Route

from tests.browser.axe import grave, violations

SCREENS = Path(__file__).resolve().parents[2] / "var" / "screens"
LANGUAGES = ("en", "fr")
WIDTHS = (1280, 390)
SCHEMES = ("light", "dark")
HEIGHT = 900
LOOKS = tuple((language, width, scheme) for language in LANGUAGES for width in WIDTHS for scheme in SCHEMES)
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'><svg onload=alert(1)>",
    "{{7*7}}",
    "${7*7}",
    "javascript:alert(1)",
)
DOT = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d4944415478da63f8cfc0f01f0005000201"
    "a5f645400000000049454e44ae426082"
)
"""A picture of one point, for every product picture of a store."""


STATE = """() => {
  const root = document.documentElement, width = root.clientWidth;
  const wide = root.scrollWidth <= width ? [] : [...document.querySelectorAll('body *')]
    .filter((one) => one.getBoundingClientRect().right > width + 1).slice(0, 5).map((one) => one.outerHTML.slice(0, 120));
  return {
    width: window.innerWidth, language: root.lang, wide: root.scrollWidth > width && !wide.length ? ['something'] : wide,
    scheme: matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light', dialog: !!document.querySelector('dialog[open]'),
  };
}"""
"""What a look is told apart by, and what sticks out at the right. Of a page under a dialog only the window is worth a picture."""


Opens = Callable[..., Page]
"""What the fixtures member_page, staff_page and visitor_page are: a new page in a browser of its own, in the `language` given."""


@dataclass(eq=False)  # no slots: Playwright notes on the object which of its methods listen
class Watch:
    """
    What happened in a page that must not happen. `host` is the site's; `language` is what the page should be in.

    `friends`: other hosts that it may load from.
    """

    host: str
    language: str
    source: str
    faults: list[str] = field(default_factory=list)
    friends: set[str] = field(default_factory=set)

    def on_console(self, message: ConsoleMessage) -> None:
        """Errors of scripts and of the content policy are faults; that the page itself is a 4xx is none."""
        is_its_own_status = message.text.startswith("Failed to load resource") and message.location["url"] == self._address(message)
        if message.type == "error" and not is_its_own_status:
            self.faults.append(f"console: {message.text}")

    def on_dialog(self, dialog: Dialog) -> None:
        """Pages of ours never open one; a script that was smuggled in would."""
        self.faults.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def on_request(self, request: Request) -> None:
        """Pictures of products may come from anywhere over https, nothing else from anywhere else."""
        parts = urlsplit(request.url)
        is_picture = parts.scheme == "https" and request.resource_type == "image"
        if parts.scheme not in ("data", "blob") and parts.netloc not in {self.host, *self.friends} and not is_picture:
            self.faults.append(f"request to another host: {request.url}")

    @staticmethod
    def _address(message: ConsoleMessage) -> str:
        return message.page.url if message.page else ""


_watches: WeakKeyDictionary[Page, Watch] = WeakKeyDictionary()


def watch(context: BrowserContext, site_url: str, language: str, source: str) -> Page:
    """A new page of a context, watched from its first request on. `source`: axe-core."""
    context.route(lambda url: url.startswith("https://"), _send_dot)
    page = context.new_page()
    watching = Watch(urlsplit(site_url).netloc, language, source)
    page.on("console", watching.on_console)
    page.on("pageerror", lambda error: watching.faults.append(f"script: {error}"))
    page.on("dialog", watching.on_dialog)
    page.on("request", watching.on_request)
    _watches[page] = watching
    return page


def befriend(page: Page, *urls: str) -> None:
    """Let the page load from these sites as well: a pretend store whose page it is part of."""
    _watches[page].friends |= {urlsplit(url).netloc for url in urls}


def faults_of(page: Page) -> list[str]:
    """What happened in the page that must not happen; afterwards it is forgotten."""
    found = list(_watches[page].faults)
    _watches[page].faults.clear()
    return found


def take_picture(page: Page, place: str, *, full_page: bool = False) -> None:
    """The page as it stands, for whoever wants to look at it: SCREENS=1 in the environment has it kept in var/screens."""
    if os.environ.get("SCREENS"):
        SCREENS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=SCREENS / f"{place}.png", full_page=full_page)


def assert_look(page: Page, name: str, *, language: str = "") -> None:
    """
    Everything that must hold for a page as it stands, and its picture if wanted. `language`: if it is another one now.

    No grave fault by axe, nothing to scroll sideways, no error, no script of others, no request elsewhere, the right language.
    """
    watching = _watches[page]
    watching.language = language or watching.language
    page.wait_for_load_state("load")
    state = page.evaluate(STATE)
    place = f"{name}-{watching.language}-{state['width']}-{state['scheme']}"
    take_picture(page, place, full_page=not state["dialog"])
    found = [] if state["language"] == watching.language else [f"the language is {state['language']}"]
    found += [f"it scrolls sideways: {one}" for one in state["wide"]]
    found += [f"axe: {one}" for one in grave(violations(page, watching.source))]
    found += faults_of(page)
    assert not found, f"{place}: " + "; ".join(found)


def assert_looks_right(
    open_page: Opens,
    path: str,
    name: str,
    *,
    prepare: Callable[[Page], object] = lambda page: None,
    languages: Iterable[str] = LANGUAGES,
    status: int = 200,
    ends_at: str = "",
) -> None:
    """
    Check all eight looks of the page at `path`; `prepare` may open a part of it first.

    It must be that page: answered with `status`, and not a sign-in or an error in its place. `ends_at`: where its address leads on to.
    """
    for language in languages:
        page = open_page(language=language)
        answer = page.goto(path)
        assert answer is not None
        assert (answer.status, urlsplit(page.url).path) == (status, ends_at or urlsplit(path).path)
        prepare(page)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": HEIGHT})
            for scheme in SCHEMES:
                page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
                state = page.evaluate(STATE)
                assert (state["width"], state["scheme"]) == (width, scheme)
                assert_look(page, name)
        page.context.close()


def _send_dot(route: Route) -> None:
    if route.request.resource_type == "image":
        route.fulfill(body=DOT, content_type="image/png")
    else:
        route.abort()
