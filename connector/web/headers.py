"""
What every answer carries: headers that let a browser do nothing but what our pages need, the request's own name, our cookies.

No inline scripts or styles, no frames from elsewhere, nothing from other hosts but product pictures.
"""

from collections.abc import Sequence

import structlog
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from connector.store.ids import public_id

COOKIES = "connector.cookies"
REQUEST_ID = "connector.request_id"


def content_policy(*, is_sandbox: bool, forms_lead_away: bool = False) -> str:
    """
    The Content-Security-Policy of a page.

    `forms_lead_away`: the page's form ends at another site. Chrome applies `form-action` to redirects as well, so `'self'`
    would stop the way to a store's own grant page. In the sandbox pretend stores are plain http on loopback.
    """
    others = "https: http://127.0.0.1:*" if is_sandbox else "https:"
    return (
        f"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' {others}; connect-src 'self'; frame-src 'self'; "
        f"form-action 'self'{' ' + others if forms_lead_away else ''}; frame-ancestors 'none'; base-uri 'none'"
    )


def framed_policy(sites: Sequence[str], script: str) -> str:
    """
    The Content-Security-Policy of a page that `sites`, and no others, show inside theirs: for that they have a script of their own
    from the host of `script`, which no other page takes.
    """
    return (
        f"default-src 'none'; script-src 'self' {script}; style-src 'self'; img-src 'self'; connect-src 'self'; "
        f"form-action 'self'; frame-ancestors {' '.join(sites)}; base-uri 'none'"
    )


class SecurityHeaders:
    """
    ASGI middleware outside everything else, so that no answer goes without these headers; a view's own ones stay.

    It names the request (`x-request-id`, in logs and audit entries) and sets the cookies that were left in scope[COOKIES]: views
    return answers of their own, to which a dependency could add none.
    """

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
        name = scope[REQUEST_ID] = public_id("req")
        cookies: list[str] = []
        scope[COOKIES] = cookies

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = name
                for key, value in self._headers.items():
                    if not (is_file and key == "cache-control"):
                        headers.setdefault(key, value)
                for cookie in cookies:
                    headers.append("set-cookie", cookie)
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=name):
            await self._app(scope, receive, send_with_headers)
