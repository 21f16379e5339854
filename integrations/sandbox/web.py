"""The little that the sandbox's pages and endpoints share: a plain request, a route to a plain function, a template."""

import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

SIDE = 240


@dataclass(frozen=True, slots=True)
class Call:
    """One request with its body read. `parts` are the path's variables; header names are lower case."""

    method: str
    scheme: str
    path: str
    parts: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    def fields(self) -> dict[str, str]:
        """The body's fields, form-encoded or a JSON object; anything unreadable counts as empty."""
        text = self.body.decode("utf-8", "replace")
        if "json" not in self.headers.get("content-type", ""):
            return dict(parse_qsl(text, keep_blank_values=True))
        try:
            value = json.loads(text)
        except ValueError:
            return {}
        return (
            {str(key): item if isinstance(item, str) else json.dumps(item) for key, item in value.items()}
            if isinstance(value, dict)
            else {}
        )

    def cookie(self, name: str) -> str | None:
        """The cookie of that name, or None."""
        found = SimpleCookie(self.headers.get("cookie", "")).get(name)
        return found.value if found else None


Handler = Callable[[Call], Response]


def route(path: str, handler: Handler, methods: str = "GET") -> Route:
    """Serve `path` with a plain function, run in a thread (it may wait); `methods` are separated by spaces."""

    async def endpoint(request: Request) -> Response:
        call = Call(
            method=request.method,
            scheme=request.url.scheme,
            path=request.url.path,
            parts={key: str(value) for key, value in request.path_params.items()},
            query=dict(request.query_params),
            headers={key.lower(): value for key, value in request.headers.items()},
            body=await request.body(),
        )
        return await run_in_threadpool(handler, call)

    return Route(path, endpoint, methods=methods.split())


@lru_cache(maxsize=1)
def _templates() -> Environment:
    folder = Path(__file__).parent / "templates"
    templates = Environment(loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined)
    templates.filters["money"] = lambda amount: f"{Decimal(amount):,.2f}"
    return templates


def page(template: str, status: int = 200, **context: object) -> HTMLResponse:
    """Render one page of `templates/`."""
    return HTMLResponse(_templates().get_template(template).render(**context), status_code=status)


def notice(store: str, title: str, text: str, status: int = 200) -> HTMLResponse:
    """A page that only says something."""
    return page("notice.html", status, store=store, title=title, text=text)


def redirect(url: str, status: int = 302) -> Response:
    """Send the browser elsewhere."""
    return RedirectResponse(url, status_code=status)


def script(name: str) -> Response:
    """A script of `templates/`."""
    return Response((Path(__file__).parent / "templates" / name).read_text(), media_type="text/javascript")


@lru_cache(maxsize=64)
def picture(hue: int) -> bytes:
    """A PNG of 240 by 240 pixels, a jar on a soft ground, coloured by `hue` (0 to 359)."""
    ground, jar, lid = _colour(hue, 0.93), _colour(hue, 0.62), _colour(hue, 0.38)
    rows = bytearray()
    for y in range(SIDE):
        rows.append(0)
        for x in range(SIDE):
            rows += jar if _inside(x, y, 70, 88, 170, 200, 22) else lid if _inside(x, y, 84, 52, 156, 84, 8) else ground
    header = SIDE.to_bytes(4, "big") * 2 + bytes((8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(bytes(rows), 9)) + _chunk(b"IEND", b"")


def _inside(x: int, y: int, left: int, top: int, right: int, bottom: int, radius: int) -> bool:
    """True within a rectangle with rounded corners."""
    across = max(left + radius - x, x - (right - radius), 0)
    down = max(top + radius - y, y - (bottom - radius), 0)
    return across * across + down * down <= radius * radius


def _colour(hue: int, light: float) -> bytes:
    """Red, green, blue of a hue at a saturation of one half."""
    reach = 0.5 * min(light, 1 - light)

    def part(offset: int) -> int:
        place = (offset + hue / 30) % 12
        return round(255 * (light - reach * max(-1.0, min(place - 3, 9 - place, 1.0))))

    return bytes((part(0), part(8), part(4)))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")


def png(hue: int) -> Response:
    """The picture as an answer that browsers may keep."""
    return Response(picture(hue), media_type="image/png", headers={"cache-control": "public, max-age=3600"})


def as_json(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """JSON as most servers write it: UTF-8, compact."""
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return Response(body, status, dict(headers or {}), "application/json")
