"""The pretend stores' faults: the vocabulary, and what exactly comes over the wire for each kind of spoilt answer."""

import json
import random
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from connector.errors import ConnectorError
from connector.platforms import TransientError
from integrations.sandbox.faults import ANSWERS, DELIVERIES, PASSING, Fault, Faults, Kind
from integrations.sandbox.shopify_cost import Bucket
from integrations.sandbox.spoilt import SpoiltApi
from integrations.transport import Answer
from tests.integrations.sandbox_app import Clock, PlayedApp, install_shopify, played, reset_woocommerce

SHOPIFY, WOOCOMMERCE = "shopify", "woocommerce"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlayedApp]:
    clock = Clock()
    with played(tmp_path_factory.mktemp("faults"), clock) as app:
        install_shopify(app)
        reset_woocommerce(app, clock)
        # Always full, so that each answer to a question is the same to the last letter.
        app.world.shopify.shop.bucket = Bucket(per_second=1e9)
        yield app


@pytest.fixture
def app(running: PlayedApp) -> Iterator[PlayedApp]:
    yield running
    running.world.shopify.faults.stop()
    running.world.woocommerce.faults.stop()


def faults_of(app: PlayedApp, platform: str) -> Faults:
    return app.world.shopify.faults if platform == SHOPIFY else app.world.woocommerce.faults


def ask(app: PlayedApp, platform: str) -> Answer:
    """One read that works when nothing is wrong, as raw as it comes."""
    if platform == SHOPIFY:
        url, headers = "https://demo.myshopify.com/admin/api/2026-10/graphql.json", {"x-shopify-access-token": app.token["access_token"]}
        return app.client.send(platform, "test", "POST", url, headers=headers, json={"query": "{ shop { name } }", "variables": {}})
    auth = (app.keys["consumer_key"], app.keys["consumer_secret"])
    return app.client.send(platform, "test", "GET", "https://boutique.test/wp-json/wc/v3/products", auth=auth)


def sequence(faults: Faults, *names: str) -> list[Fault | None]:
    return [faults.take(name) for name in names]


def test_the_same_seed_gives_the_same_faults_whatever_is_called_in_between() -> None:
    alone, mixed = Faults(ANSWERS), Faults(ANSWERS)
    alone.at_random(0.3, PASSING, seed=7)
    mixed.at_random(0.3, PASSING, seed=7)
    first = sequence(alone, *["GET /products"] * 200)
    second = [fault for pair in range(200) for fault in (sequence(mixed, "GET /orders", "GET /products"))[1:]]
    assert first == second
    assert {fault.kind for fault in first if fault} == PASSING
    assert 30 <= sum(fault is not None for fault in first) <= 90
    other = Faults(ANSWERS)
    other.at_random(0.3, PASSING, seed=8)
    assert sequence(other, *["GET /products"] * 200) != first


def test_dice_that_are_thrown_anew_begin_anew() -> None:
    faults = Faults(ANSWERS)
    faults.at_random(0.5, [Kind.HTML, Kind.EMPTY], seed=3)
    first = sequence(faults, *["a"] * 20)
    faults.at_random(0.5, [Kind.EMPTY, Kind.HTML], seed=3)
    assert sequence(faults, *["a"] * 20) == first


def test_threads_do_not_change_what_a_call_suffers() -> None:
    faults = Faults(ANSWERS)
    faults.at_random(0.5, PASSING, seed=1)
    seen: dict[str, list[Fault | None]] = {name: [] for name in "abcd"}

    def call(name: str) -> None:
        seen[name] = sequence(faults, *[name] * 100)

    threads = [threading.Thread(target=call, args=(name,)) for name in seen]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name, suffered in seen.items():
        alone = Faults(ANSWERS)
        alone.at_random(0.5, PASSING, seed=1)
        assert sequence(alone, *[name] * 100) == suffered


def test_commands_come_first_in_their_order_and_everything_is_counted() -> None:
    faults = Faults(ANSWERS)
    faults.at_random(1.0, [Kind.EMPTY], seed=1)
    faults.throttle_next(2, seconds=9)
    faults.spoil_next(Kind.LOSE, after=1)
    kinds = [fault.kind if fault else None for fault in sequence(faults, *"abcde")]
    assert kinds == [Kind.THROTTLE, Kind.THROTTLE, None, Kind.LOSE, Kind.EMPTY]
    assert faults.counts == {"empty": 1, "lose": 1, "throttle": 2}
    faults.fail_next(5)
    faults.stop()
    assert sequence(faults, *"abc") == [None] * 3
    assert sum(faults.counts.values()) == 4


def test_the_pace_shortens_what_takes_time() -> None:
    faults = Faults(ANSWERS)
    faults.at_random(1.0, [Kind.DELAY], seed=1, pace=0.01)
    fault = faults.take("a")
    assert fault is not None
    assert fault.seconds == pytest.approx(0.01)


@pytest.mark.parametrize(("usual", "kind"), [(ANSWERS, Kind.REPEAT), (DELIVERIES, Kind.THROTTLE)])
def test_a_fault_of_the_other_direction_is_refused(usual: Any, kind: Kind) -> None:
    with pytest.raises(ConnectorError, match=kind.value):
        Faults(usual).spoil_next(kind)
    with pytest.raises(ConnectorError, match=kind.value):
        Faults(usual).at_random(1.0, [kind], seed=1)


@pytest.mark.parametrize("platform", [SHOPIFY, WOOCOMMERCE])
@pytest.mark.parametrize("kind", [Kind.DROP, Kind.LOSE, Kind.SHORT])
def test_a_connection_that_breaks_off_gives_no_answer_and_the_next_call_works(app: PlayedApp, platform: str, kind: Kind) -> None:
    faults_of(app, platform).spoil_next(kind)
    with pytest.raises(TransientError, match="no answer"):
        ask(app, platform)
    assert ask(app, platform).status == 200


@pytest.mark.parametrize("platform", [SHOPIFY, WOOCOMMERCE])
@pytest.mark.parametrize("number", [0, 1, 999])
def test_a_cut_body_has_the_length_it_says_and_cannot_be_read(app: PlayedApp, platform: str, number: int) -> None:
    whole = ask(app, platform)
    faults_of(app, platform).spoil_next(Kind.TRUNCATE, number=number)
    cut = ask(app, platform)
    assert cut.status == 200
    assert int(cut.headers["content-length"]) == len(cut.body) < len(whole.body)
    assert whole.body.startswith(cut.body[:20])
    with pytest.raises(json.JSONDecodeError):
        json.loads(cut.body)


@pytest.mark.parametrize("platform", [SHOPIFY, WOOCOMMERCE])
def test_a_slow_or_late_answer_is_complete(app: PlayedApp, platform: str) -> None:
    whole = ask(app, platform)
    faults = faults_of(app, platform)
    faults.slow_next(seconds=0.05)
    faults.delay_next(seconds=0.01)
    assert ask(app, platform).body == whole.body
    assert ask(app, platform).body == whole.body


@pytest.mark.parametrize("platform", [SHOPIFY, WOOCOMMERCE])
def test_pages_empty_bodies_and_strange_json_come_with_200(app: PlayedApp, platform: str) -> None:
    faults = faults_of(app, platform)
    faults.html_next()
    faults.spoil_next(Kind.EMPTY)
    faults.spoil_next(Kind.SHAPE, number=1)
    page, empty, strange = ask(app, platform), ask(app, platform), ask(app, platform)
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert (empty.status, empty.body) == (200, b"")
    assert strange.status == 200
    assert "shop" not in json.loads(strange.body)


@pytest.mark.parametrize("platform", [SHOPIFY, WOOCOMMERCE])
@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_broken_store_speaks_for_itself_at_500_and_through_its_proxy_otherwise(app: PlayedApp, platform: str, status: int) -> None:
    faults_of(app, platform).fail_next(status=status)
    answer = ask(app, platform)
    assert answer.status == status
    assert answer.headers["content-type"].startswith("application/json" if status == 500 else "text/html")


def test_random_errors_have_every_status(app: PlayedApp) -> None:
    faults = app.world.woocommerce.faults
    for number in range(4):
        faults.spoil_next(Kind.ERROR, number=number)
    assert {ask(app, WOOCOMMERCE).status for _ in range(4)} == {500, 502, 503, 504}


def test_shopify_throttles_inside_a_200_and_rarely_by_status(app: PlayedApp) -> None:
    faults = app.world.shopify.faults
    faults.throttle_next()
    faults.throttle_next(status=429, seconds=3)
    faults.spoil_next(Kind.THROTTLE, number=7)
    usual, rare, by_dice = (ask(app, SHOPIFY) for _ in range(3))
    words = json.loads(usual.body)
    assert (usual.status, words["errors"][0]["extensions"]["code"]) == (200, "THROTTLED")
    assert words["extensions"]["cost"]["throttleStatus"]["currentlyAvailable"] == 60
    assert (rare.status, rare.headers["retry-after"]) == (429, "3.0")
    assert by_dice.status == 429
    faults.throttle_next(seconds=4)
    answer = app.client.send("shopify", "token", "POST", "https://demo.myshopify.com/admin/oauth/access_token", json={})
    assert (answer.status, answer.headers["retry-after"]) == (429, "4.0")


def test_woocommerce_throttles_by_status_in_json_or_html(app: PlayedApp) -> None:
    faults = app.world.woocommerce.faults
    faults.throttle_next(seconds=2.5)
    faults.spoil_next(Kind.THROTTLE, number=1)
    plugin, host = ask(app, WOOCOMMERCE), ask(app, WOOCOMMERCE)
    assert (plugin.status, plugin.headers["retry-after"], json.loads(plugin.body)["code"]) == (429, "2.5", "too_many_requests")
    assert (host.status, host.headers["content-type"]) == (429, "text/html; charset=utf-8")


def test_a_refusal_is_worded_as_the_platform_does(app: PlayedApp) -> None:
    for platform in (SHOPIFY, WOOCOMMERCE):
        faults_of(app, platform).refuse_next()
        faults_of(app, platform).refuse_next(status=403)
    refusals = [ask(app, platform) for platform in (SHOPIFY, SHOPIFY, WOOCOMMERCE, WOOCOMMERCE)]
    assert [refusal.status for refusal in refusals] == [401, 403, 401, 403]
    assert all(json.loads(refusal.body) for refusal in refusals)
    app.world.shopify.faults.refuse_next()
    assert app.exchange(code="x")[0:1] == (400,)


def test_pages_for_people_suffer_nothing(app: PlayedApp) -> None:
    app.world.shopify.faults.fail_next()
    app.world.woocommerce.faults.fail_next()
    browser = app.world.browser()
    assert browser.open("https://demo.myshopify.com/").status == 200
    assert browser.open("https://boutique.test/").status == 200
    browser.close()


def test_an_answer_is_lost_after_the_work_was_done(app: PlayedApp) -> None:
    before = len(app.world.woocommerce.store.webhooks)
    app.world.woocommerce.faults.spoil_next(Kind.LOSE)
    body = {"topic": "customer.created", "delivery_url": "https://connector.test/x", "secret": "s1"}
    with pytest.raises(TransientError):
        app.rest("POST", "/wc/v3/webhooks", body)
    assert len(app.world.woocommerce.store.webhooks) == before + 1
    app.world.woocommerce.faults.spoil_next(Kind.DROP)
    with pytest.raises(TransientError):
        app.rest("POST", "/wc/v3/webhooks", body)
    assert len(app.world.woocommerce.store.webhooks) == before + 1


@pytest.mark.parametrize(("platform", "name"), [(SHOPIFY, "graphql"), (WOOCOMMERCE, "GET /wp-json/wc/v3/products")])
def test_what_comes_over_the_wire_is_what_the_seed_says(app: PlayedApp, platform: str, name: str) -> None:
    seed = random.SystemRandom().randrange(2**31)
    print(f"seed {seed}")
    whole = ask(app, platform).body
    faults, foretold = faults_of(app, platform), Faults(ANSWERS)
    before = Counter(faults.counts)
    faults.at_random(0.3, PASSING, seed, pace=0.01)
    foretold.at_random(0.3, PASSING, seed, pace=0.01)
    for _ in range(150):
        fault = foretold.take(name)
        try:
            answer: Answer | None = ask(app, platform)
        except TransientError:
            answer = None
        assert (answer is None) is (fault is not None and fault.kind in (Kind.DROP, Kind.LOSE, Kind.SHORT))
        is_whole = fault is None or fault.kind in (Kind.DELAY, Kind.SLOW)
        assert answer is None or (answer.body == whole) is is_whole
    assert Counter(faults.counts) - before == Counter(foretold.counts)
    assert foretold.counts


def test_what_is_no_request_passes_untouched() -> None:
    """The server's own messages (lifespan) are not calls."""
    seen: list[str] = []

    async def served(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    faults = Faults(ANSWERS)
    faults.fail_next()
    coroutine = SpoiltApi(served, faults, None)({"type": "lifespan"}, None, None)  # type: ignore[arg-type]
    with pytest.raises(StopIteration):
        coroutine.send(None)
    assert seen == ["lifespan"]
