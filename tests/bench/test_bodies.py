"""The shoppers of the benchmarks are what the benchmarks say they are."""

from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from itertools import islice
from pathlib import Path

from connector.canonical import Checkout, Customer, Event
from connector.config import Settings
from connector.platforms import DeliveryContext, Platform
from integrations.registry import make_platforms, make_transport
from tests.bench import bodies
from tests.bench.bodies import Post
from tests.bench.pool import START, read_pool, write_pool, write_pool_script

SINCE = datetime(2026, 11, 21, 10, tzinfo=UTC)
SECRET = "hush"


def some(count: int, *, shops: int = 2) -> list[Post]:
    return list(islice(bodies.posts(count, shops, SINCE), count))


@cache
def shopify() -> Platform:
    """Our adapter; it calls nobody here."""
    settings = Settings.model_validate({"shopify_client_secret": SECRET})
    with closing(make_transport(settings)) as transport:
        return make_platforms(settings, transport)["shopify"]


def events_of(post: Post) -> list[Event]:
    return shopify().parse(DeliveryContext(post.topic, SINCE, "FR"), post.body)


def checkout_of(post: Post) -> Checkout:
    return next(event for event in events_of(post) if isinstance(event, Checkout))


def test_every_checkout_comes_in_all_its_versions_one_after_the_other() -> None:
    sent: dict[int, list[int]] = {}
    for post in some(bodies.BLOCK * bodies.VERSIONS):
        sent.setdefault(post.number, []).append(post.version)
    assert len(sent) == bodies.BLOCK
    assert set(map(tuple, sent.values())) == {tuple(range(bodies.VERSIONS))}


def test_versions_of_different_checkouts_are_shuffled() -> None:
    numbers = [post.number for post in some(200)]
    assert len(set(numbers)) > 150
    assert numbers != sorted(numbers)


def test_bodies_have_one_size_and_are_all_different() -> None:
    sent = some(500)
    assert {len(post.body) for post in sent} == {bodies.BODY_BYTES}
    assert len({post.body for post in sent}) == 500
    assert {post.number % 2 for post in sent if post.shop == 0} == {0}


def test_a_later_version_is_newer_and_knows_more() -> None:
    versions = [checkout_of(post) for post in sorted(some(2500), key=lambda post: post.version) if post.number == 15]
    assert [one.source_version - versions[0].source_version for one in versions] == [timedelta(seconds=20 * n) for n in range(5)]
    assert [one.email for one in versions] == [None] + ["okafor.15@example.com"] * 4
    assert [one.first_name for one in versions] == [None, "Benoît", "Benoît", "Benoît", "Benoît"]
    assert [len(one.lines) for one in versions] == [4, 4, 4, 5, 5]
    assert [one.shipping_method for one in versions] == [None] * 4 + ["Colissimo"]
    assert len({one.token for one in versions}) == 1


def test_what_is_expected_is_what_our_adapter_reads_in_the_newest_versions() -> None:
    sent = some(900)
    newest = {post.number: checkout_of(post) for post in sorted(sent, key=lambda post: post.version)}
    found = bodies.expected((post.number, post.version) for post in sent)
    assert found.checkouts == len(newest)
    assert found.lines == sum(len(checkout.lines) for checkout in newest.values())
    assert found.total == sum((checkout.total for checkout in newest.values()), Decimal(0))
    assert found.emails == sum(checkout.email is not None for checkout in newest.values()) < found.checkouts


def test_the_order_in_which_versions_come_does_not_change_what_is_expected() -> None:
    pairs = [(post.number, post.version) for post in some(300)]
    assert bodies.expected(pairs) == bodies.expected(reversed(pairs))


def test_every_third_shopper_is_a_known_customer() -> None:
    numbers = {int(e.platform_id) - 7_040_000_000_000 for post in some(1000) for e in events_of(post) if isinstance(e, Customer)}
    assert len(numbers) > 20
    assert {number % 3 for number in numbers} == {0}


def test_a_pooled_request_is_whole_and_signed_as_shopify_signs(tmp_path: Path) -> None:
    sent = some(7)
    assert write_pool(tmp_path / "pool", SECRET, sent, ["a.myshopify.com", "b.myshopify.com"]) == [(p.number, p.version) for p in sent]
    for post, rest in zip(sent, read_pool(tmp_path / "pool"), strict=True):
        head, body = (START.encode() + b"mark-1" + rest).split(b"\r\n\r\n", 1)
        line, *fields = head.split(b"\r\n")
        headers = {name.lower(): value for name, value in (field.split(b": ", 1) for field in fields)}
        assert (line, body, headers[b"content-length"]) == (b"POST /webhooks/shopify HTTP/1.1", post.body, b"6073")
        meta = shopify().verify(headers, body, [SECRET.encode()], "")
        assert (meta.shop_ref, meta.topic) == ("ab"[post.shop] + ".myshopify.com", post.topic)


def test_the_script_of_one_of_two_loads_takes_every_second_request(tmp_path: Path) -> None:
    write_pool_script(tmp_path / "two.lua", tmp_path / "pool", "mark", first=2, step=2)
    text = (tmp_path / "two.lua").read_text()
    assert "place = 0, 2" not in text
    assert "pool, count, place = {}, 0, 2" in text
    assert "place = place + 2" in text
    assert 'Webhook-Id: mark-2-"' in text
