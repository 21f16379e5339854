"""How a WooCommerce store words its troubles: WordPress's own, its host's and those of whatever stands in front of it."""

from typing import Any

from starlette.responses import Response

from integrations.sandbox.faults import Fault
from integrations.sandbox.spoilt import Dialect, proxy_page
from integrations.sandbox.web import as_json, notice

SHAPES: tuple[Any, ...] = (
    {"code": 1, "message": None},
    {"success": True},
    {"data": []},
    [1, 2],
    [None],
    [[]],
    "maintenance",
    0,
    None,
    [{"id": [], "value": {}, "name": 5, "topic": None}],
)


def _throttle(path: str, fault: Fault) -> Response:
    """WooCommerce has no throttle of its own; a security plugin answers JSON, a host an HTML page."""
    words = {"code": "too_many_requests", "message": "Too many requests.", "data": {"status": 429}}
    response = proxy_page(429) if fault.number % 2 else as_json(words, fault.status or 429)
    response.headers["retry-after"] = f"{fault.seconds:g}"
    return response


def _refuse(path: str, fault: Fault) -> Response:
    if fault.status == 403:
        return _error_body("woocommerce_rest_cannot_view", "Sorry, you cannot list resources.", 403)
    return _error_body("woocommerce_rest_authentication_error", "Consumer key is invalid.", fault.status or 401)


def _error(path: str, fault: Fault) -> Response:
    return _error_body("internal_server_error", "There has been a critical error on this website.", 500)


def _page(fault: Fault) -> Response:
    return notice("La Boutique", "Maintenance", "Briefly unavailable for scheduled maintenance.", fault.status or 200)


def _error_body(code: str, message: str, status: int) -> Response:
    return as_json({"code": code, "message": message, "data": {"status": status}}, status)


def _call_name(method: str, path: str) -> str | None:
    return f"{method} {path}" if path.startswith("/wp-json/") else None


DIALECT = Dialect(_call_name, _throttle, _refuse, _error, _page, SHAPES)
