"""How the pretend WooCommerce's REST API answers: JSON as PHP writes it, errors, pages with their totals, chosen fields."""

import json
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from integrations.sandbox.web import Call
from integrations.sandbox.woocommerce_bodies import encode
from integrations.sandbox.woocommerce_store import ORIGIN

Json = dict[str, Any]


def answer(value: Any, status: int = 200) -> Response:
    """A value as JSON."""
    return Response(encode(value), status, media_type="application/json; charset=UTF-8")


def error(code: str, message: str, status: int, **data: Any) -> Response:
    """An error in WordPress's form."""
    return answer({"code": code, "message": message, "data": {"status": status} | data}, status)


def bad_parameter(name: str, words: str, detail: str = "rest_invalid_param") -> Response:
    """A parameter that is not taken; `detail` is the code that stands in the details."""
    details = {name: {"code": detail, "message": words, "data": None}}
    return error("rest_invalid_param", f"Invalid parameter(s): {name}", 400, params={name: words}, details=details)


def object_of(call: Call) -> Json | Response:
    """The JSON object that was sent, or the error for something that is no JSON."""
    if "json" not in call.headers.get("content-type", ""):
        return dict(call.fields())
    try:
        value = json.loads(call.body or b"{}")
    except ValueError:
        data = {"json_error_code": 4, "json_error_message": "Syntax error"}
        return error("rest_invalid_json", "Invalid JSON body passed.", 400, **data)
    return value if isinstance(value, dict) else {}


def shown(call: Call, record: Json) -> Json:
    """The fields that `_fields` names, also inside others ("billing.email"); all of them without it."""
    wanted = [name for name in call.query.get("_fields", "").split(",") if name]
    if not wanted:
        return record
    chosen: Json = {}
    for key, value in record.items():
        inner = [name.partition(".")[2] for name in wanted if name.startswith(f"{key}.")]
        if key in wanted:
            chosen[key] = value
        elif inner and isinstance(value, dict):
            chosen[key] = {name: value[name] for name in inner if name in value}
    return chosen


def paged(call: Call, records: Sequence[Json], *, is_forgetful: bool = False) -> Response:
    """
    One page with its totals and neighbours in headers.

    Past the end the page is empty; the totals are 0 there if the list is `is_forgetful` (orders in the current storage). An `offset`
    takes the place of the page's number, but for 0, which is none.
    """
    size, number, offset = call.query.get("per_page", "10"), call.query.get("page", "1"), call.query.get("offset", "")
    if not size.isdigit() or not 1 <= int(size) <= 100:
        return bad_parameter("per_page", "per_page must be between 1 (inclusive) and 100 (inclusive)", "rest_out_of_bounds")
    if not number.isdigit() or int(number) < 1:
        return bad_parameter("page", "page must be greater than or equal to 1", "rest_out_of_bounds")
    if not re.fullmatch(r"-?\d*", offset):
        return bad_parameter("offset", "offset is not of type integer.", "rest_invalid_type")
    start = abs(int(offset or "0")) or (int(number) - 1) * int(size)
    page = records[start : start + int(size)]
    total = 0 if is_forgetful and start and not page else len(records)
    pages = -(-total // int(size))
    made = answer([shown(call, record) for record in page])
    made.headers["X-WP-Total"], made.headers["X-WP-TotalPages"] = str(total), str(pages)
    links = [(min(int(number) - 1, pages), "prev")] if int(number) > 1 else []
    links += [(int(number) + 1, "next")] if int(number) < pages else []
    if links:
        made.headers["Link"] = ", ".join(f'<{_address(call, page_number)}>; rel="{name}"' for page_number, name in links)
    return made


def moment(value: str) -> datetime | None:
    """A date with its time part; None for anything else."""
    if not re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", value):
        return None
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None


def _address(call: Call, page_number: int) -> str:
    secret = {"consumer_key", "consumer_secret", "page"}
    query = {name: value for name, value in call.query.items() if name not in secret and not name.startswith("oauth_")}
    return f"{ORIGIN}{call.path}?{urlencode(query | {'page': str(page_number)})}"
