"""What the adapters make of every fault in every request: the error that says what to do, nothing else, and never too late."""

import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from connector.platforms import (
    AccessLost,
    InstallRefused,
    NotPermitted,
    PlatformError,
    Rejected,
    ThrottledError,
    TransientError,
)
from integrations import transport as transport_module
from integrations.sandbox import shopify_faults, woocommerce_faults
from integrations.sandbox.faults import PASSING, Kind
from integrations.woocommerce.subscriptions import TOPICS
from tests.integrations.sandbox_app import START
from tests.integrations.sandbox_calls import CALLS, REQUESTS, SHOPIFY, WOOCOMMERCE, Calls, connected
from tests.integrations.test_shopify_client import ACCESS, Shop, nodes, page, product, variant

SHORT = 0.4
PATIENCE = 3.0
PASSING_FAULTS = [
    (Kind.DROP, {}),
    (Kind.LOSE, {}),
    (Kind.SHORT, {}),
    (Kind.TRUNCATE, {}),
    (Kind.TRUNCATE, {"number": 1}),
    (Kind.TRUNCATE, {"number": 997}),
    (Kind.EMPTY, {}),
    (Kind.HTML, {}),
    (Kind.HTML, {"status": 403}),
    (Kind.HTML, {"status": 404}),
    (Kind.HTML, {"status": 503}),
    *((Kind.ERROR, {"status": status}) for status in (500, 502, 503, 504)),
]
REQUEST = "{0[0]}-{0[1]}".format
UNREADABLE = {Kind.HTML, Kind.TRUNCATE, Kind.EMPTY}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Calls]:
    with connected(tmp_path_factory.mktemp("adapters")) as calls:
        yield calls


@pytest.fixture
def calls(running: Calls) -> Iterator[Calls]:
    yield running
    running.stop()


def failure(call: Callable[[], object]) -> PlatformError:
    """What a call raises; anything but a PlatformError is a failed test."""
    began = time.monotonic()
    with pytest.raises(PlatformError) as caught:
        call()
    assert time.monotonic() - began < PATIENCE
    error = caught.value
    assert error.platform in (SHOPIFY, WOOCOMMERCE)
    assert error.call
    return error


@pytest.mark.parametrize("name", CALLS)
def test_every_request_of_every_call_is_known(calls: Calls, name: str) -> None:
    """CALLS is right: a fault behind a call's last request is not met, one at its last request is."""
    call = calls.prepare(name)
    calls.faults(name).fail_next()
    failure(call)
    calls.stop()
    call = calls.prepare(name)
    calls.faults(name).spoil_next(Kind.ERROR, after=CALLS[name])
    assert call() is not None
    calls.stop()
    call = calls.prepare(name)
    calls.faults(name).spoil_next(Kind.ERROR, after=CALLS[name] - 1)
    failure(call)


@pytest.mark.spec("SEC-167")
@pytest.mark.parametrize(("kind", "variant"), PASSING_FAULTS, ids=lambda value: str(value))
@pytest.mark.parametrize("request_", REQUESTS, ids=REQUEST)
def test_what_passes_is_transient_and_the_call_works_afterwards(
    calls: Calls, request_: tuple[str, int], kind: Kind, variant: dict[str, Any]
) -> None:
    name, number = request_
    call = calls.prepare(name)
    calls.faults(name).spoil_next(kind, after=number, **variant)
    if is_first_look(request_) and variant.get("status") == 403:
        assert call()
        return
    error = failure(call)
    if name == "woocommerce install" and kind in UNREADABLE:
        # A page in place of an answer may be a wall that stays: the merchant is told which, and may try again.
        assert isinstance(error, InstallRefused | TransientError)
    else:
        assert type(error) is TransientError
    assert calls.prepare(name)()


@pytest.mark.parametrize("request_", REQUESTS, ids=REQUEST)
@pytest.mark.parametrize(("variant", "seconds"), [({}, None), ({"status": 429, "seconds": 7}, 7), ({"number": 7}, 2)])
def test_a_throttle_says_how_long_to_wait(calls: Calls, request_: tuple[str, int], variant: dict[str, Any], seconds: float | None) -> None:
    name, number = request_
    call = calls.prepare(name)
    calls.faults(name).spoil_next(Kind.THROTTLE, after=number, **variant)
    error = failure(call)
    assert isinstance(error, ThrottledError)
    is_graph = name.startswith(SHOPIFY) and (name != "shopify install" or number > 0) and name != "shopify refresh"
    assert error.retry_after == (seconds or (0.5 if is_graph else 2.0))


def is_first_look(request: tuple[str, int]) -> bool:
    """The look at a store's address, without keys: where strangers are kept out the keys may still get in."""
    return request == ("woocommerce install", 0)


def refusal(name: str, number: int, status: int) -> type[PlatformError] | None:
    """What a revoked or missing right means; None: the call goes on without what was withheld."""
    if name == "woocommerce install":
        return InstallRefused
    if name == "shopify install" and number == 0:
        return InstallRefused
    if name == "shopify refresh":
        return AccessLost
    return NotPermitted if name.startswith(SHOPIFY) and status == 403 else AccessLost


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("request_", REQUESTS, ids=REQUEST)
def test_a_revoked_right_is_told_apart(calls: Calls, request_: tuple[str, int], status: int) -> None:
    name, number = request_
    call = calls.prepare(name)
    calls.faults(name).spoil_next(Kind.REFUSE, after=number, status=status)
    if is_first_look(request_):
        assert call()
        return
    expected = refusal(name, number, status)
    error = failure(call)
    assert isinstance(error, InstallRefused) if expected is InstallRefused else type(error) is expected


@pytest.mark.spec("SEC-167")
@pytest.mark.parametrize("variant", range(max(len(shopify_faults.SHAPES), len(woocommerce_faults.SHAPES))))
@pytest.mark.parametrize("request_", REQUESTS, ids=REQUEST)
def test_json_of_another_shape_is_never_taken_for_an_answer(calls: Calls, request_: tuple[str, int], variant: int) -> None:
    name, number = request_
    call = calls.prepare(name)
    calls.faults(name).spoil_next(Kind.SHAPE, after=number, number=variant)
    nothing = woocommerce_faults.SHAPES[variant % len(woocommerce_faults.SHAPES)] == []
    if name == "woocommerce install" and number == CALLS[name] - 1 and nothing:
        assert call()  # it asked to write nothing, and that is how a store says that nothing was done
        return
    error = failure(call)
    shape = shopify_faults.SHAPES[variant % len(shopify_faults.SHAPES)]
    has_words = name.startswith(SHOPIFY) and isinstance(shape, dict) and "errors" in shape
    allowed: tuple[type[PlatformError], ...] = (TransientError,)
    if has_words:
        allowed = (TransientError, Rejected)
    if name in ("shopify install", "woocommerce install") and number == 0:
        allowed = (TransientError, InstallRefused)
    assert isinstance(error, allowed)
    assert calls.prepare(name)()


@pytest.mark.spec("SEC-164")
@pytest.mark.parametrize("kind", [Kind.DELAY, Kind.SLOW])
@pytest.mark.parametrize("name", CALLS)
def test_an_answer_that_takes_too_long_is_not_waited_for(calls: Calls, name: str, kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    call = calls.prepare(name)
    calls.faults(name).spoil_next(kind, after=CALLS[name] - 1, seconds=4.0)
    monkeypatch.setattr(transport_module, "TOTAL_SECONDS", SHORT)
    assert type(failure(call)) is TransientError


@pytest.mark.parametrize("kind", [Kind.DELAY, Kind.SLOW])
@pytest.mark.parametrize("name", CALLS)
def test_an_answer_that_is_slow_but_in_time_is_taken(calls: Calls, name: str, kind: Kind) -> None:
    call = calls.prepare(name)
    calls.faults(name).spoil_next(kind, CALLS[name], seconds=0.02)
    assert call()


def test_a_refresh_whose_answer_was_lost_is_answered_again_with_the_same_token(calls: Calls) -> None:
    for _ in range(3):
        calls.prepare("shopify refresh")
        calls.faults(SHOPIFY).spoil_next(Kind.LOSE, 2)
        for _ in range(2):
            failure(calls.refresh)
        calls.refresh()
        assert calls.products(SHOPIFY)


@pytest.mark.parametrize("kind", [Kind.LOSE, Kind.DROP, Kind.SHORT, Kind.TRUNCATE])
@pytest.mark.parametrize("after", range(8))
def test_subscriptions_whose_answers_were_lost_are_there_once(calls: Calls, kind: Kind, after: int) -> None:
    subscribe = calls.prepare("woocommerce subscribe")
    calls.faults(WOOCOMMERCE).spoil_next(kind, after=after)
    failure(subscribe)
    subscribe()
    webhooks = calls.app.world.woocommerce.store.webhooks.values()
    assert Counter(webhook.topic for webhook in webhooks) == Counter(TOPICS)


@pytest.mark.parametrize("second", [{"data": {}}, {}, [], {"data": {"product": {}}}, {"data": {"product": {"variants": []}}}])
def test_a_further_page_of_another_shape_does_not_shorten_a_product(second: object) -> None:
    """What is read in several pages is read whole or not at all."""
    first = nodes(product(variants=page([variant(201)], "more")))
    with pytest.raises(TransientError):
        Shop(first, second).platform.read_products(ACCESS, ["101"])
    (gone,) = Shop(first, {"data": {"product": None}}).platform.read_products(ACCESS, ["101"])
    assert len(gone.variants) == 1


@pytest.mark.parametrize("seconds", [10**18, -(10**18), 0])
def test_a_nonsensical_life_of_a_token_is_no_crash(calls: Calls, seconds: int, monkeypatch: pytest.MonkeyPatch) -> None:
    calls.prepare("shopify refresh")
    held = calls.shopify
    pair = {"access_token": "a", "refresh_token": "r", "expires_in": seconds, "refresh_token_expires_in": seconds}
    answer = transport_module.Answer(200, {}, json.dumps(pair).encode())
    monkeypatch.setattr(transport_module.Transport, "send", lambda *_, **__: answer)
    calls.refresh()
    assert START <= datetime.fromisoformat(calls.shopify.credentials["expires_at"]) < START + timedelta(days=4000)
    calls.shopify = held


@pytest.mark.parametrize(
    "date", ["Mon, 01 Jan 99999999999999999999 00:00:00 GMT", "Mon, 01 Jan 2024 00:00:00 +99999999999999999999", "x", ""]
)
def test_a_nonsensical_date_of_an_answer_is_no_crash(calls: Calls, date: str, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = transport_module.Answer(200, {"date": date}, b"[]")
    gone = transport_module.Answer(404, {}, b'{"code": "woocommerce_rest_product_invalid_id", "message": "Invalid ID."}')
    monkeypatch.setattr(transport_module.Transport, "send", lambda *asked, **_: gone if asked[2] == "product" else nothing)
    assert all(product.is_deleted for product in calls.products(WOOCOMMERCE))


@pytest.mark.parametrize(
    ("body", "content_type", "expected"),
    [
        (b'{"error": "invalid_grant"}', "application/json", AccessLost),
        (b"<html><title>Oauth error invalid_request</title></html>", "text/html", AccessLost),
        (b'{"error": "invalid_client"}', "application/json", Rejected),
        (b"<html><h1>400 Bad Request</h1></html>", "text/html", TransientError),
        (b"<html>Access denied by the edge</html>", "text/html", TransientError),
    ],
)
def test_only_shopify_itself_can_say_that_a_refresh_token_is_dead(
    calls: Calls, body: bytes, content_type: str, expected: type[PlatformError], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page of something in between must not make a merchant sign in again."""
    calls.prepare("shopify refresh")
    answer = transport_module.Answer(400, {"content-type": content_type}, body)
    monkeypatch.setattr(transport_module.Transport, "send", lambda *_, **__: answer)
    assert type(failure(calls.refresh)) is expected


def test_300_calls_with_faults_at_random_end_well(calls: Calls) -> None:
    """Nothing but PlatformErrors while it storms, everything right afterwards."""
    seed = random.SystemRandom().randrange(2**31)
    print(f"seed {seed}")
    whole = {platform: calls.products(platform) for platform in (SHOPIFY, WOOCOMMERCE)}
    before = Counter(calls.faults(SHOPIFY).counts) + Counter(calls.faults(WOOCOMMERCE).counts)
    dice = random.Random(seed)
    outcomes: Counter[str] = Counter()
    names = [
        "shopify products",
        "shopify orders",
        "shopify refresh",
        *(f"woocommerce {what}" for what in ("install", "products", "orders")),
    ]
    for platform in (SHOPIFY, WOOCOMMERCE):
        calls.faults(platform).at_random(0.3, PASSING, seed, pace=0.02)
    for _ in range(300):
        name = dice.choice(names)
        try:
            result = calls.refresh() if name == "shopify refresh" else calls.prepare(name)()
        except PlatformError as error:
            outcomes[type(error).__name__] += 1
        else:
            outcomes["ok"] += 1
            if name.endswith("products"):
                titles = [(product.platform_id, product.is_deleted) for product in whole[name.split()[0]]]
                assert [(product.platform_id, product.is_deleted) for product in result] == titles, (seed, name)  # type: ignore[attr-defined]
    calls.stop()
    injected = Counter(calls.faults(SHOPIFY).counts) + Counter(calls.faults(WOOCOMMERCE).counts) - before
    print(f"{sum(injected.values())} faults, {dict(outcomes)}")
    assert set(outcomes) <= {"ok", "TransientError", "ThrottledError", "Rejected", "InstallHindered"}, seed
    assert len(injected) > len(PASSING) // 2, seed
    assert outcomes["TransientError"] > 20, seed
    assert outcomes["ok"] > 50, seed
    for name in CALLS:
        assert calls.prepare(name)()
