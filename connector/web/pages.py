"""How every page is made: one template filled with one frozen context, inside the frame that all pages share."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

import structlog
from fastapi import FastAPI, Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, RedirectResponse, Response

from connector.errors import NotFound, Refused
from connector.web.language import N_, translator
from connector.web.shell import Shell, bare_shell

TEMPLATES = Path(__file__).parent / "templates"

log = structlog.get_logger()


class Elsewhere(Exception):
    """Whoever asks must go to `url` first (an address of ours): sign in, give a reason."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.url = url


@dataclass(frozen=True, slots=True)
class ErrorPage:
    """What went wrong, in words for the reader, and where to go from here."""

    title: str
    message: str
    link: str
    link_text: str


def render(shell: Shell, name: str, page: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> HTMLResponse:
    """Fill one template with its context, which it knows as `page`, and its frame, which it knows as `shell`."""
    template = environment(shell.language).get_template(name)
    return HTMLResponse(template.render(page=page, shell=shell), status, headers)


@cache
def environment(language: str) -> Environment:
    """The templates in one language: everything is escaped, a name that does not exist is an error."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        extensions=["jinja2.ext.i18n"],
    )
    made.install_gettext_translations(translator(language), newstyle=True)  # type: ignore[attr-defined]
    return made


def error_page(
    request: Request, status: int, message: str, *, link: str = "", link_text: str = "", headers: Mapping[str, str] | None = None
) -> HTMLResponse:
    """A page that says what went wrong and what helps. Texts that are marked for translation are shown in the reader's language."""
    shell = bare_shell(request)
    words = translator(shell.language).gettext
    try:
        title = HTTPStatus(status).phrase
    except ValueError:
        title = N_("Error")
    if not link:
        link, link_text = ("/support" if request.url.path.startswith("/support") else "/"), N_("To the start")
    page = ErrorPage(words(_TITLES.get(status, title)), words(message) if message else "", link, words(link_text))
    return render(shell, "error.html", page, status=status, headers=headers)


def add_error_pages(pages: FastAPI) -> None:
    """Answer every error with a page, and lead on whoever must go elsewhere first."""
    pages.add_exception_handler(Elsewhere, _elsewhere)
    pages.add_exception_handler(HTTPException, _http_error)
    pages.add_exception_handler(NotFound, _not_found)
    pages.add_exception_handler(Refused, _refused)
    pages.add_exception_handler(Exception, _broken)


_TITLES = {
    400: N_("This cannot be read"),
    401: N_("Please sign in"),
    403: N_("Not allowed"),
    404: N_("Nothing here"),
    405: N_("Not possible this way"),
    413: N_("Too much"),
    415: N_("Not a form"),
    422: N_("Not possible"),
    429: N_("Too many tries"),
    500: N_("Something broke"),
    502: N_("The store did not answer"),
}
_MESSAGES = {
    404: N_("There is no such page, or not any more."),
    405: N_("This address is not used like that."),
}


def _elsewhere(request: Request, error: Any) -> Response:
    return RedirectResponse(error.url, 303)


def _http_error(request: Request, error: Any) -> Response:
    message = error.detail if error.detail != HTTPStatus(error.status_code).phrase else _MESSAGES.get(error.status_code, "")
    return error_page(request, error.status_code, message, headers=error.headers)


def _not_found(request: Request, error: Any) -> Response:
    # Nothing of the error's own words: they may name what somebody else has.
    return error_page(request, 404, _MESSAGES[404])


def _refused(request: Request, error: Any) -> Response:
    return error_page(request, 422, refusal(error, bare_shell(request).language))


def refusal(error: Refused, language: str) -> str:
    """Why something was refused, in the reader's language."""
    text = translator(language).gettext(error.template) if error.template else ""
    return text.format(**error.values) if error.values else text


def _broken(request: Request, error: Any) -> Response:
    log.error("page.broken", path=request.scope["path"].split("/")[1], error=type(error).__name__)
    return error_page(request, 500, N_("The fault is ours and was noted. Please try again in a moment."))
