"""
Our cookies: names that browsers protect, never readable by scripts.

`__Host-` makes a browser take a cookie from this very host only, over https only. The sandbox on plain http has the same cookies
without that prefix and without `Secure`, since a browser would drop them.
"""

from fastapi import Request
from starlette.responses import Response

from connector.config import Settings
from connector.web.headers import COOKIES

SESSION, STAFF, BROWSER = "session", "staff", "browser"
LONGEST = 100
YEAR_SECONDS = 365 * 86_400


def read(request: Request, settings: Settings, name: str) -> str:
    """The value of one of our cookies, or nothing."""
    value = request.cookies.get(_full(request, settings, name), "")
    return value if len(value) <= LONGEST else ""


def write(request: Request, settings: Settings, name: str, value: str, seconds: int) -> None:
    """Have the answer to this request set a cookie; an empty value deletes it."""
    answer = Response()
    answer.set_cookie(
        _full(request, settings, name),
        value,
        max_age=seconds if value else 0,
        path="/",
        secure=not is_plain(request, settings),
        httponly=True,
        samesite="lax",
    )
    left: list[str] = request.scope[COOKIES]
    left.append(answer.headers["set-cookie"])


def is_plain(request: Request, settings: Settings) -> bool:
    """True for a sandbox that is called over plain http. Everywhere else cookies need https."""
    return settings.sandbox and request.url.scheme == "http"


def _full(request: Request, settings: Settings, name: str) -> str:
    return name if is_plain(request, settings) else f"__Host-{name}"
