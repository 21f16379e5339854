"""The plain page that shoppers see: a title, a sentence, maybe a button; and what all answers to their links have in common."""

import re
from dataclasses import dataclass, replace

from fastapi import Request
from starlette.responses import Response

from connector.messages.phrases import phrase_language
from connector.web.pages import render
from connector.web.shell import bare_shell
from connector.web.shopper.phrases import PHRASES

HEADERS = {"referrer-policy": "no-referrer", "x-robots-tag": "noindex, nofollow", "cache-control": "no-store"}
TOKEN = re.compile(r"[A-Za-z0-9_-]{22}")
"""128 random bits."""


@dataclass(frozen=True, slots=True)
class ShopperPage:
    """A title, a sentence, and maybe the one button there is."""

    language: str
    title: str
    text: str
    button: str = ""


def show(request: Request, page: ShopperPage, status: int = 200) -> Response:
    """The shopper's language, not that of our own pages' readers; no frame, no cookies."""
    return render(replace(bare_shell(request), language=page.language), "shopper.html", page, status=status, headers=HEADERS)


def gone(request: Request) -> Response:
    """A link that leads nowhere, in the language that the browser asks for."""
    language = phrase_language(request.headers.get("accept-language", "").partition(",")[0].partition(";")[0])
    words = PHRASES[language]
    return show(request, ShopperPage(language, words["gone_title"], words["gone"]), 404)
