"""The pretend store's coupons against a real one's recorded answers (RECORDED_DIR): the same requests bring the same JSON."""

import json
import os
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx2
import pytest

from integrations.sandbox.woocommerce_coupon_desk import CouponDesk
from integrations.sandbox.woocommerce_coupon_use import Cart, CouponRefused, apply_coupon
from integrations.sandbox.woocommerce_coupons import Coupon, CouponBook
from integrations.transport import Transport
from tests.integrations.coupon_ground import Ground, utc

RECORDED = Path(os.environ["RECORDED_DIR"]) / "woocommerce" if "RECORDED_DIR" in os.environ else None
pytestmark = pytest.mark.skipif(RECORDED is None, reason="RECORDED_DIR is not set")
ORIGIN = "https://localhost:8443"
LIFE = ("015", "016", "017", "018", "019", "020", "021", "022", "023")
"""One coupon from its making to its end."""


def recorded(number: str, folder: str = "rest") -> dict[str, Any]:
    """One exchange."""
    assert RECORDED is not None
    (path,) = (RECORDED / folder).glob(f"{number}-*.json")
    found: dict[str, Any] = json.loads(path.read_bytes())
    return found


def store(first_id: int = 158) -> Ground:
    """An empty store on the recorded one's address."""
    at = [utc(2026, 11, 21, 21, 3, 4)]
    numbers = count(first_id)
    book = CouponBook(lambda: at[0], numbers)
    sent: list[tuple[str, int]] = []
    return Ground(book, CouponDesk(book, lambda topics, number: sent.extend((topic, number) for topic in topics), ORIGIN), at, sent=sent)


def ask(ground: Ground, exchange: dict[str, Any], path: str = "") -> tuple[int, Any, dict[str, str]]:
    """Do a recorded request again."""
    request = exchange["request"]
    transport = Transport(inner=httpx2.MockTransport(ground._answer))
    url = f"https://galets.example{path or request['path']}"
    params = dict(parse_qsl(request["query"]))
    body = json.loads(request["body"]) if request["body"] else None
    answer = transport.send("woocommerce", "test", request["method"], url, params=params, json=body)
    return answer.status, json.loads(answer.body), dict(answer.headers)


def unnumbered(told: Any) -> Any:
    """Without the ids of meta data and the moment a thing was put into the bin."""
    if isinstance(told, dict) and "meta_data" in told:
        meta = [{"key": one["key"], "value": "…" if one["key"] == "_wp_trash_meta_time" else one["value"]} for one in told["meta_data"]]
        return told | {"meta_data": meta}
    return told


def linked(told: dict[str, Any]) -> Any:
    """The same, with of its links only the addresses: a delivery does not say what may be done there."""
    return unnumbered(told) | {"_links": {name: [{"href": one["href"]} for one in links] for name, links in told["_links"].items()}}


def put_in(ground: Ground, told: dict[str, Any]) -> Coupon:
    """A coupon as the recorded store had it."""
    coupon = ground.book.create({name: value for name, value in told.items() if name != "status"})
    del ground.book._coupons[coupon.id]
    coupon.id = told["id"]
    coupon.created_at, coupon.modified_at = (
        datetime.fromisoformat(told[f"date_{name}_gmt"]).replace(tzinfo=UTC) for name in ("created", "modified")
    )
    end = told["date_expires_gmt"]
    coupon.expires_at = datetime.fromisoformat(end).replace(tzinfo=UTC) if end else None
    coupon.emails, coupon.usage_count, coupon.used_by = told["email_restrictions"], told["usage_count"], told["used_by"]
    coupon.meta = told["meta_data"]
    ground.book._coupons[coupon.id] = coupon
    return coupon


@pytest.fixture
def ground() -> Ground:
    """All coupons that the recorded store had."""
    ground = store(10_000)
    for told in reversed(recorded("033")["response"]["json"]):
        put_in(ground, told)
    ground.clock[0] = utc(2026, 11, 21, 21, 3, 40)
    return ground


def test_a_coupons_life_is_answered_word_for_word() -> None:
    ground = store()
    for number in LIFE:
        exchange = recorded(number)
        told = exchange["response"]["json"]
        moved = told.get("date_modified_gmt")
        if number in ("019", "021"):
            # 021 shows what the deletion of 020 did.
            ground.clock[0] = datetime.fromisoformat(moved).replace(tzinfo=UTC)
        if number == "020":
            ground.clock[0] = datetime.fromisoformat(recorded("021")["response"]["json"]["date_modified_gmt"]).replace(tzinfo=UTC)
        status, answer, _ = ask(ground, exchange)
        assert (status, unnumbered(answer)) == (exchange["response"]["status"], unnumbered(told)), exchange["case"]
    assert ground.sent == [
        ("coupon.created", 158),
        *[("coupon.updated", 158)] * 4,
        ("product.deleted", 158),
        ("coupon.deleted", 158),
        ("action.woocommerce_delete_coupon", 158),
    ]


def test_the_list_of_all_coupons(ground: Ground) -> None:
    exchange = recorded("033")
    status, answer, headers = ask(ground, exchange)
    assert (status, headers["x-wp-total"], headers["x-wp-totalpages"]) == (200, "23", "1")
    assert answer == exchange["response"]["json"]


def test_by_code_and_by_number(ground: Ground) -> None:
    for number in ("034", "024"):
        exchange = recorded(number)
        status, answer, _ = ask(ground, exchange)
        assert (status, answer) == (exchange["response"]["status"], exchange["response"]["json"])


@pytest.mark.parametrize("number", ["055", "056", "057", "058"])
def test_what_is_refused_in_which_words(ground: Ground, number: str) -> None:
    exchange = recorded(number)
    status, answer, _ = ask(ground, exchange)
    assert (status, answer) == (exchange["response"]["status"], exchange["response"]["json"])


def test_nonsense_as_a_date_becomes_1970() -> None:
    exchange = recorded("059")
    told = exchange["response"]["json"]
    ground = store(164)
    ground.clock[0] = utc(2026, 11, 21, 21, 3, 42)
    status, answer, _ = ask(ground, exchange)
    assert (status, answer) == (201, told)


def test_a_batch_answers_item_by_item(ground: Ground) -> None:
    exchange = recorded("042")
    wanted = exchange["response"]["json"]
    ground.book._numbers = count(163)
    ground.book._coupons[49].amount -= 1
    status, answer, _ = ask(ground, exchange)
    assert (status, answer) == (200, wanted)


@pytest.mark.parametrize(("number", "code"), [("003", "une-fois"), ("004", "noel2025"), ("005", "inconnu"), ("006", "vip")])
def test_the_checkouts_words(ground: Ground, number: str, code: str) -> None:
    told = recorded(number, "storeapi")["response"]["json"]
    with pytest.raises(CouponRefused) as caught:
        apply_coupon(ground.book, code, [], Cart(100 * ground.book._coupons[43].amount))
    assert str(caught.value) == told["message"]


@pytest.mark.parametrize("number", ["042", "043", "044", "045", "049"])
def test_the_body_of_a_delivery_is_what_rest_shows(number: str) -> None:
    told = json.loads(recorded(number, "webhooks")["request"]["body"])
    ground = store()
    put_in(ground, told).status = told["status"]
    assert linked(ground.desk.payload(told["id"])) == linked(told)


def test_out_of_the_bin_it_remembers_the_name_it_had_there() -> None:
    before, after = (json.loads(recorded(number, "webhooks")["request"]["body"]) for number in ("049", "052"))
    ground = store()
    put_in(ground, before)
    ground.desk.trash(159)
    ground.clock[0] = datetime.fromisoformat(after["date_modified_gmt"]).replace(tzinfo=UTC)
    ground.desk.restore(159)
    assert linked(ground.desk.payload(159)) == linked(after)
    assert ground.sent == [("coupon.deleted", 159), ("coupon.restored", 159)]


def test_times_are_told_in_site_time_and_in_utc() -> None:
    ground = store()
    for text, gmt in (
        ("2026-12-24T10:00:00Z", "2026-12-24T10:00:00"),
        ("2026-12-24T10:00:00+05:00", "2026-12-24T05:00:00"),
        ("2026-12-24", "2026-12-23T23:00:00"),
    ):
        coupon = ground.desk.make(f"c{text}", date_expires=text)
        told = ground.desk.payload(coupon.id)
        assert told["date_expires_gmt"] == gmt
        assert datetime.fromisoformat(told["date_expires"]) - datetime.fromisoformat(gmt) == timedelta(hours=1)
