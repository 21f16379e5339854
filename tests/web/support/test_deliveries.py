"""The deliveries of a store: a list with filters in its address, one with its raw bytes, and handling one again."""

import re
from datetime import UTC, datetime

import pytest

from connector.rules.permissions import StaffRole
from connector.store.db import Wake
from connector.web.composition import Composition
from connector.web.support.deliveries import DEEPEST, MOST_SHOWN, body_text
from tests.conftest import TestShop
from tests.web.conftest import run, scalar, shop_public_id
from tests.web.signing import send
from tests.web.support.conftest import REASON, Entries, Keep, Opens, rows, seen

HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(1)>'


@pytest.fixture
def here(parts: Composition, shopify_shop: TestShop) -> str:
    """Where the list of the first shop is."""
    return f"/support/shops/{shop_public_id(parts, shopify_shop)}/deliveries"


# ---------------------------------------------------------------- the list


def test_the_list_has_its_filters_in_the_address(
    staff: Opens, parts: Composition, shopify_shop: TestShop, woo_shop: TestShop, keep: Keep, here: str
) -> None:
    keep(woo_shop, topic="order.created")
    first = keep(shopify_shop)
    second = keep(shopify_shop, "quarantined", topic="checkouts/update", reason="currency")
    client = staff(StaffRole.VIEWER)
    page = client.get(here)
    assert [row.partition(",")[0].rsplit(" ", 3)[0] for row in rows(page.text)[1:]] == [
        f"{second} checkouts/update quarantined currency 1",
        f"{first} orders/create applied 1",
    ]
    assert "order.created" not in page.text
    assert f'href="{here}/{first}"' not in page.text, "a viewer sees no bytes"
    found = client.get(here, params={"state": "quarantined", "topic": "checkouts/update"}).text
    assert len(rows(found)) == 2
    assert '<option value="quarantined" selected>' in found
    assert '<option value="checkouts/update" selected>' in found
    assert f'href="{here}">Clear' in found
    assert "No delivery fits these filters." in client.get(here, params={"topic": "orders/create", "state": "pending"}).text
    assert len(rows(client.get(here, params={"day": f"{datetime.now(UTC):%Y-%m-%d}"}).text)) == 3
    assert "No delivery fits" in client.get(here, params={"day": "2020-02-29"}).text
    for nonsense in ({"state": "' or 1=1"}, {"day": "yesterday"}, {"state": "deleted", "day": "2026-02-30"}):
        assert len(rows(client.get(here, params=nonsense).text)) == 3


def test_who_may_see_bytes_has_links_to_them(staff: Opens, keep: Keep, shopify_shop: TestShop, here: str) -> None:
    number = keep(shopify_shop)
    assert f'<a href="{here}/{number}">{number}</a>' in staff().get(here).text


def test_an_empty_list_says_so(staff: Opens, shopify_shop: TestShop, here: str) -> None:
    assert "Nothing came from this store" in seen(staff().get(here).text)


def test_pages_follow_each_other(staff: Opens, keep: Keep, shopify_shop: TestShop, here: str) -> None:
    made = [keep(shopify_shop, "no_meaning_yet") for _ in range(53)]
    client = staff()
    first = client.get(here, params={"state": "no_meaning_yet"}).text
    older = re.search(r'href="([^"]+)" rel="next"', first)
    assert older is not None
    second = client.get(older[1].replace("&amp;", "&")).text
    shown = [int(row.split()[0]) for page in (first, second) for row in rows(page)[1:]]
    assert shown == made[::-1]
    assert 'rel="next"' not in second
    assert f'href="{here}?state=no_meaning_yet" rel="prev"' in second
    assert len(rows(client.get(here, params={"before": "999999999"}).text)) == 0
    assert client.get(here, params={"before": "x"}).status_code == 404


# ---------------------------------------------------------------- one


def test_a_body_is_shown_with_what_became_of_it(staff: Opens, parts: Composition, keep: Keep, shopify_shop: TestShop, here: str) -> None:
    body = b'{"id":6210,"total_price":"12.30","n":1.10,"big":12345678901234567890123,"items":[{"a":null}]}'
    number = keep(shopify_shop, "quarantined", body, reason="currency")
    run(
        parts,
        "insert into delivery_people (person_hash, delivery_id, shop_id) values ('\\x01', :id, :shop)",
        id=number,
        shop=shopify_shop.id,
    )
    page = staff(reason_for=shopify_shop).get(f"{here}/{number}").text
    assert "What became of it quarantined: currency" in seen(page)
    assert "1 name, address or number of a person" in seen(page)
    assert "x-topic: orders/create\nhost: connector.test" in page
    shown = page.replace("&#34;", '"')
    assert '  "total_price": "12.30",\n  "n": 1.10,\n  "big": 12345678901234567890123,' in shown
    assert f'action="{here}/{number}/replay"' in page


def test_dropped_bytes_are_told_as_such(staff: Opens, parts: Composition, keep: Keep, shopify_shop: TestShop, here: str) -> None:
    number = keep(shopify_shop, "applied", None)
    page = staff(reason_for=shopify_shop).get(f"{here}/{number}").text
    assert "The body is gone. It was dropped after 14 days" in seen(page)
    assert "/replay" not in page


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b'{"a": "\\u202e\\u0000"}', '{\n  "a": "\\u202e\\u0000"\n}'),
        ('{"a":"\u202eevil\u200b"}'.encode(), '{\n  "a": "\\u202eevil\\u200b"\n}'),
        (b"not json", "not json"),
        (b"", ""),
        (b"a\r\nb\tc", "a\nb\tc"),
        (b"a\rb", "a\\x0db"),
        (b"\x1b[31mred\x00", "\\x1b[31mred\\x00"),
        (b"\xff\xfe\x00a", "\\xff\\xfe\\x00a"),
        ("é😀".encode(), "é😀"),
        ("\x85\ufeff\u2028".encode(), "\\x85\\ufeff\\u2028"),
        (b"[" * 100_000, "[" * 100_000),
        (b"[" * DEEPEST + b"]" * DEEPEST, None),
    ],
)
def test_any_bytes_become_text_that_is_safe_to_look_at(body: bytes, shown: str | None) -> None:
    text = body_text(body)
    assert all(sign.isprintable() or sign in "\n\t" for sign in text)
    if shown is not None:
        assert text == shown


def test_deep_json_makes_no_endless_page() -> None:
    depth = DEEPEST - 1
    body = b"[" * depth + b"[]," * ((MOST_SHOWN - 2 * depth) // 3 - 1) + b"[]" + b"]" * depth
    assert len(body_text(body)) <= 4 * MOST_SHOWN


def test_a_long_body_is_cut(staff: Opens, keep: Keep, shopify_shop: TestShop, here: str) -> None:
    number = keep(shopify_shop, "applied", b"x" * (MOST_SHOWN + 7))
    page = staff(reason_for=shopify_shop).get(f"{here}/{number}").text
    assert "The last 7 bytes are not shown." in seen(page)
    assert "x" * MOST_SHOWN in page
    assert "x" * (MOST_SHOWN + 1) not in page


@pytest.mark.spec("SEC-190", "SEC-238")
def test_hostile_deliveries_are_shown_as_text(staff: Opens, keep: Keep, shopify_shop: TestShop, here: str) -> None:
    hostile = HOSTILE + "\r\n\x1b[31mforged line\u202e"
    number = keep(shopify_shop, "quarantined", hostile.encode(), topic=hostile, reason=hostile, headers=f"user-agent: {hostile}")
    client = staff(reason_for=shopify_shop)
    for path in (here, f"{here}/{number}"):
        page = client.get(path).text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
        assert "<script>alert" not in page
        assert "<img src=x" not in page
    body = page[page.rindex("<pre") :]
    assert "\\x1b[31mforged line\\u202e" in body
    assert "\x1b" not in body
    assert "\u202e" not in body


# ---------------------------------------------------------------- again


@pytest.mark.spec("SEC-237")
def test_a_delivery_is_handled_again_and_that_is_written_down(
    staff: Opens, parts: Composition, keep: Keep, shopify_shop: TestShop, here: str, entries: Entries
) -> None:
    rung: list[Wake] = []
    parts.db.on_wake(rung.append)
    number, other = keep(shopify_shop, "quarantined", reason="currency"), keep(shopify_shop, "quarantined")
    answer = send(staff(reason_for=shopify_shop), parts, f"{here}/{number}/replay")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{here}/{number}?done=replayed")
    assert scalar(parts, "select state from deliveries where id = :id", id=number) == "pending"
    assert scalar(parts, "select state from deliveries where id = :id", id=other) == "quarantined"
    assert rung == [Wake("apply_inbox", shopify_shop.id)]
    entry = entries()[-1]
    assert (entry["action"], entry["object"], entry["reason"]) == ("support.replayed", f"delivery {number}", REASON)
    assert (entry["shop_id"], entry["actor"][:10]) == (shopify_shop.id, "staff stf_")


@pytest.mark.parametrize(
    ("state", "body", "words"), [("pending", b"{}", "waits already"), ("applied", None, "bytes of this delivery are gone")]
)
def test_what_cannot_be_handled_again_says_why(
    staff: Opens,
    parts: Composition,
    keep: Keep,
    shopify_shop: TestShop,
    here: str,
    entries: Entries,
    state: str,
    body: bytes | None,
    words: str,
) -> None:
    number = keep(shopify_shop, state, body)
    answer = send(staff(reason_for=shopify_shop), parts, f"{here}/{number}/replay")
    assert answer.status_code == 422
    assert words in seen(answer.text)
    assert scalar(parts, "select state from deliveries") == state
    assert [entry["action"] for entry in entries()] == ["support.reason", "support.viewed"]


@pytest.mark.spec("SEC-184")
def test_a_delivery_is_found_under_its_own_shop_only(
    staff: Opens, parts: Composition, keep: Keep, shopify_shop: TestShop, woo_shop: TestShop, here: str
) -> None:
    number = keep(woo_shop, body=b"of another shop")
    page = staff(reason_for=shopify_shop).get(f"{here}/{number}")
    assert page.status_code == 404
    assert "of another shop" not in page.text
