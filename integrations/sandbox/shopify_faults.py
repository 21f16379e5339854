"""How Shopify words its troubles. Source: shopify.dev, "Status and error codes", "Rate limits", 2026-10."""

from typing import Any

from starlette.responses import Response

from integrations.sandbox.faults import Fault
from integrations.sandbox.shopify_bulk import FOLDER
from integrations.sandbox.spoilt import Dialect
from integrations.sandbox.web import as_json, notice

LIMITS = "https://shopify.dev/api/usage/rate-limits"
THROTTLED: dict[str, Any] = {
    "errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED", "documentation": LIMITS}}],
    "extensions": {
        "cost": {
            "requestedQueryCost": 560,
            "actualQueryCost": None,
            "throttleStatus": {"maximumAvailable": 20000.0, "currentlyAvailable": 60, "restoreRate": 1000.0},
        }
    },
}
BAD_TOKEN = {"errors": "[API] Invalid API key or access token (unrecognized login or wrong password)"}
NO_APPROVAL = {"errors": "[API] This action requires merchant approval for read_products scope."}
UNAVAILABLE = {"errors": "Unavailable Shop"}
REFUSALS = {401: BAD_TOKEN, 402: UNAVAILABLE, 404: {"errors": "Not Found"}, 423: UNAVAILABLE}
TOO_MANY = {"errors": "Exceeded 2 calls per second for api client. Reduce request rates to resume uninterrupted service."}
OAUTH = "/admin/oauth/access_token"
SHAPES: tuple[Any, ...] = (
    [],
    {},
    {"data": None},
    {"data": {}},
    {"data": [], "extensions": []},
    {"data": {"nodes": []}},
    {"data": {"nodes": {}, "shop": []}},
    {"errors": [{"message": "Internal error. Something went wrong on our end.", "extensions": {"code": "INTERNAL_SERVER_ERROR"}}]},
    {"errors": {"base": ["Something went wrong"]}},
    {"access_token": None, "scope": 7},
    "maintenance",
    0,
    None,
)
RARELY = 7
"""A GraphQL throttle with its own HTTP status: one of eight."""


def _throttle(path: str, fault: Fault) -> Response:
    """GraphQL says it inside a 200, rarely by 429; the OAuth endpoint always by 429; the host of files with a text of its own."""
    if path.startswith(FOLDER):
        return _of_files("SlowDown", 429, {"retry-after": f"{fault.seconds:.1f}"})
    by_status = path.startswith(OAUTH) or fault.status == 429 or (fault.status is None and fault.number % 8 == RARELY)
    if not by_status:
        return as_json(THROTTLED)
    return as_json(TOO_MANY, 429, {"retry-after": f"{fault.seconds:.1f}"})


def _refuse(path: str, fault: Fault) -> Response:
    if path.startswith(FOLDER):
        return _of_files("AccessDenied", fault.status or 403)
    if path.startswith(OAUTH):
        words = {"error": "invalid_grant", "error_description": "The refresh token is invalid or expired"}
        return as_json(words, fault.status or 400)
    status = fault.status or 401
    return as_json(REFUSALS.get(status, NO_APPROVAL), status)


def _of_files(word: str, status: int, headers: dict[str, str] | None = None) -> Response:
    return Response(f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{word}</Code></Error>", status, headers, "application/xml")


def _error(path: str, fault: Fault) -> Response:
    return as_json({"errors": "Internal Server Error"}, 500)


def _page(fault: Fault) -> Response:
    return notice("Shopify", "Something went wrong", "There is a problem on our side.", fault.status or 200)


def _call_name(method: str, path: str) -> str | None:
    if path.startswith(OAUTH):
        return "oauth"
    if path.startswith(FOLDER):
        return "bulk_file"
    return "graphql" if path.startswith("/admin/api/") else None


DIALECT = Dialect(_call_name, _throttle, _refuse, _error, _page, SHAPES)
