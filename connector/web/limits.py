"""
What requests to the pages are kept to before anything reads them. The webhook door has limits of its own.

Bodies of more than a mebibyte are refused unread (forms that bring a picture may take more), and a request for many ranges of a file
gets the whole file: joining ranges that overlap would let a small question cause a large answer.
"""

import re

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from connector.web.inputs import MAX_UPLOAD
from connector.web.language import N_
from connector.web.pages import error_page

MAX_BODY = 1024 * 1024
UPLOADS = re.compile(r"/app/shops/[^/]+/offers(?:/[^/]+)?")
"""Where forms with a picture are sent; they read no more of it than they may from whoever sends it."""
WORDS = N_("That is more than any page here takes.")


class Limits:
    """ASGI middleware around the pages."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is within the limits."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = MAX_BODY + (MAX_UPLOAD if scope["method"] == "POST" and UPLOADS.fullmatch(scope["path"]) else 0)
        if _declared_length(scope) > most:
            await error_page(Request(scope), 413, WORDS, headers={"connection": "close"})(scope, receive, send)
            return
        scope["headers"] = [(name, value) for name, value in scope["headers"] if name != b"range" or b"," not in value]
        size = 0

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > most:
                raise HTTPException(413, WORDS)
            return message

        await self._app(scope, counted, send)


def _declared_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() and len(value) < 20 else 0
    return 0
