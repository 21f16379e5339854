"""
What every view is given about the one who asks: language, forms that are ours, where to go next.

A form is ours if its browser says that it comes from our own page, and if it holds the token that belongs to this browser's cookie:
the cookie is a random word that no script reads and, by its `__Host-` name, that no other site or subdomain can set.
"""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from hmac import compare_digest
from typing import Annotated
from urllib.parse import urlencode, urlsplit

from fastapi import Depends, HTTPException, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from connector.errors import Refused
from connector.store.audit import Actor
from connector.web import cookies
from connector.web.composition import Composition
from connector.web.headers import REQUEST_ID
from connector.web.inputs import Fields, Parts
from connector.web.language import N_, language_of, translator
from connector.web.pages import refusal, render
from connector.web.shell import Shell, path_of, toast_of
from connector.web.status import banner_for

CSRF = "csrf"
STRANGE_FORM = N_("This form was sent from another site, or this browser keeps no cookies. Please open the page again.")

_BROWSER = re.compile(r"[A-Za-z0-9_-]{32}")


@dataclass(frozen=True, slots=True)
class Ask:
    """One request of somebody. `fields` are those of a posted form that was found to be ours."""

    parts: Composition
    request: Request
    language: str
    browser: str
    fields: Mapping[str, str] = field(default_factory=dict)

    @property
    def csrf(self) -> str:
        """What our forms hold."""
        return token_of(self.parts, self.browser)

    def gettext(self, text: str) -> str:
        """The text in the reader's language."""
        return translator(self.language).gettext(text)

    def ngettext(self, one: str, many: str, count: int) -> str:
        """The text for `count` things in the reader's language."""
        return translator(self.language).ngettext(one, many, count)

    def refusal(self, error: Refused) -> str:
        """Why something was refused, in the reader's language."""
        return refusal(error, self.language)

    def shell(self) -> Shell:
        """The frame of a public page."""
        return Shell(
            language=self.language,
            path=path_of(self.request),
            csrf=self.csrf,
            banner=banner_for(self.parts, self.language),
            toast=toast_of(self.request, self.language),
            is_sandbox=self.parts.settings.sandbox,
        )

    def render(self, name: str, page: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> HTMLResponse:
        """Fill a page."""
        return render(self.shell(), name, page, status=status, headers=headers)

    def redirect(self, url: str, done: str = "") -> Response:
        """Lead on after a post; `done` names the toast (`shell.TOASTS`) that the next page shows."""
        if done:
            url = f"{url}{'&' if '?' in url else '?'}{urlencode({'done': done})}"
        return RedirectResponse(url, 303)

    def actor(self, name: str) -> Actor:
        """Who acts, with the name of this request."""
        return Actor(name, self.request.scope[REQUEST_ID])


def visiting(request: Request, parts: Parts) -> Ask:
    """Anybody who reads a public page."""
    return Ask(parts, request, language_of(request), browser_of(request, parts))


def visiting_post(request: Request, parts: Parts, fields: Fields) -> Ask:
    """Anybody who sends a form of a public page. Raises HTTPException 403 for a form that is not ours."""
    check_form(request, parts, fields)
    return Ask(parts, request, language_of(request), browser_of(request, parts), fields)


Visitor = Annotated[Ask, Depends(visiting)]
VisitorPost = Annotated[Ask, Depends(visiting_post)]


def browser_of(request: Request, parts: Composition) -> str:
    """This browser's random word; a browser without one gets one."""
    word = cookies.read(request, parts.settings, cookies.BROWSER)
    if not _BROWSER.fullmatch(word):
        word = secrets.token_urlsafe(24)
        cookies.write(request, parts.settings, cookies.BROWSER, word, cookies.YEAR_SECONDS)
    return word


def token_of(parts: Composition, browser: str) -> str:
    """The token of a browser's forms."""
    return parts.services.vault.keyed_hash("csrf", browser).hex()


def check_form(request: Request, parts: Composition, fields: Mapping[str, str]) -> None:
    """Raises HTTPException 403 unless the form was sent by a page of ours in this browser."""
    word = cookies.read(request, parts.settings, cookies.BROWSER)
    is_ours = bool(word) and compare_digest(fields.get(CSRF, "").encode(), token_of(parts, word).encode())
    if not is_ours or not is_same_origin(request):
        raise HTTPException(403, STRANGE_FORM)


def local_path(text: str, default: str) -> str:
    """`text` if it is an address of ours, so that a link can never lead people elsewhere by our hand."""
    parts = urlsplit(text) if len(text) < 2_000 and text.isprintable() and "\\" not in text else None
    is_local = parts is not None and not parts.scheme and not parts.netloc and text.startswith("/") and not text.startswith("//")
    return text if is_local else default


def is_same_origin(request: Request) -> bool:
    """
    Browsers send at least one of these headers with every post of another site; programs that send neither are no browsers
    and hold no one's sign-in.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    is_ours = origin is None or (urlsplit(origin).netloc == request.headers.get("host", "") != "")
    return site in (None, "same-origin", "none") and is_ours
