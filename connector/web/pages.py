"""
How every page is made: one template filled with one frozen context, under headers that let a browser do nothing else.

No scripts, no frames, nothing from other hosts but product pictures.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

import structlog
from fastapi import FastAPI, Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from connector.errors import NotFound, Refused

TEMPLATES = Path(__file__).parent / "templates"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ErrorPage:
    """What went wrong, in words for the reader, and where to go from here (empty: nowhere)."""

    title: str
    message: str
    link: str = ""
    link_text: str = ""


def render(name: str, page: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> HTMLResponse:
    """Fill one template with its context, which it knows as `page`."""
    return HTMLResponse(environment().get_template(name).render(page=page), status, headers)


@cache
def environment() -> Environment:
    """The templates: everything is escaped, a name that does not exist is an error."""
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )


def content_policy(*, is_sandbox: bool, forms_lead_away: bool = False) -> str:
    """
    The Content-Security-Policy of a page.

    `forms_lead_away`: the page's form ends at another site. Chrome applies `form-action` to redirects as well, so `'self'`
    would stop the way to a store's own grant page. In the sandbox pretend stores are plain http on loopback.
    """
    others = "https: http://127.0.0.1:*" if is_sandbox else "https:"
    return (
        f"default-src 'none'; style-src 'self'; img-src 'self' {others}; "
        f"form-action 'self'{' ' + others if forms_lead_away else ''}; frame-ancestors 'none'; base-uri 'none'"
    )


class SecurityHeaders:
    """ASGI middleware outside everything else, so that no answer goes without these headers; a view's own ones stay."""

    def __init__(self, app: ASGIApp, *, is_sandbox: bool) -> None:
        self._app = app
        self._headers = {
            "content-security-policy": content_policy(is_sandbox=is_sandbox),
            "x-content-type-options": "nosniff",
            # Not `no-referrer`: browsers would send `Origin: null` with our own forms.
            "referrer-policy": "same-origin",
            "cross-origin-opener-policy": "same-origin",
            "x-robots-tag": "noindex",
            "cache-control": "no-store",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on; add the headers to each HTTP answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_file = scope["path"].startswith("/static/")

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    if not (is_file and name == "cache-control"):
                        headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)


def error_page(status: int, message: str, *, link: str = "", link_text: str = "", headers: Mapping[str, str] | None = None) -> HTMLResponse:
    """A page that says what went wrong and what helps."""
    try:
        title = HTTPStatus(status).phrase
    except ValueError:
        title = "Error"
    return render("error.html", ErrorPage(_TITLES.get(status, title), message, link, link_text), status=status, headers=headers)


def add_error_pages(pages: FastAPI) -> None:
    """Answer every error with a page."""
    pages.add_exception_handler(HTTPException, _http_error)
    pages.add_exception_handler(NotFound, _not_found)
    pages.add_exception_handler(Refused, _refused)
    pages.add_exception_handler(Exception, _broken)


_TITLES = {
    401: "Please sign in",
    403: "Not allowed",
    404: "Nothing here",
    405: "Not possible this way",
    413: "Too much",
    415: "Not a form",
    422: "Not possible",
    500: "Something broke",
    502: "The store did not answer",
}
_MESSAGES = {
    404: "There is no such page, or not any more.",
    405: "This address is not used like that.",
}


def _http_error(request: Request, error: Any) -> Response:
    message = error.detail if error.detail != HTTPStatus(error.status_code).phrase else _MESSAGES.get(error.status_code, "")
    return error_page(error.status_code, message, headers=error.headers)


def _not_found(request: Request, error: Any) -> Response:
    return error_page(404, str(error))


def _refused(request: Request, error: Any) -> Response:
    return error_page(422, str(error))


def _broken(request: Request, error: Any) -> Response:
    log.error("page.broken", path=request.scope["path"].split("/")[1], error=type(error).__name__)
    return error_page(500, "The fault is ours and was noted. Please try again in a moment.")
