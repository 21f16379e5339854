"""Whether shoppers can enter a store: WooCommerce's "coming soon", as stores tell it and where they do not."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from connector.config import Settings
from connector.platforms import Access, ThrottledError, TransientError
from integrations.sandbox.woocommerce_twin import WooCommerceTwin
from integrations.transport import Transport
from integrations.woocommerce.adapter import WooCommercePlatform
from integrations.woocommerce.calling import Call
from integrations.woocommerce.reads import WooReads
from integrations.woocommerce.visibility import OPTION, is_open
from tests.integrations.sandbox_app import Clock, PlayedApp, install_woocommerce, played, refurnish
from tests.integrations.woo_kit import ACCESS, rest_error

STORE = "https://boutique.test"
HTML = httpx2.Response(200, html="<html>Briefly unavailable for scheduled maintenance</html>")


def told(answer: httpx2.Response) -> bool | None:
    asked: list[httpx2.Request] = []

    def serve(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        return answer

    found = is_open(Call(Transport(inner=httpx2.MockTransport(serve)), ACCESS))
    (one,) = asked
    assert (one.method, one.url.path, dict(one.url.params)) == ("GET", "/wp-json/wc-admin/options", {"options": OPTION})
    return found


@pytest.mark.parametrize(
    ("value", "expected"),
    [({OPTION: "yes"}, False), ({OPTION: "no"}, True), ({OPTION: False}, True), ({OPTION: None}, None), ({}, None)],
)
def test_the_option_tells(value: dict[str, Any], expected: bool | None) -> None:
    assert told(httpx2.Response(200, json=value)) is expected


@pytest.mark.parametrize(
    "answer",
    [
        rest_error("woocommerce_rest_cannot_view", 401, "Sorry, you cannot view these options."),
        rest_error("woocommerce_rest_cannot_view", 403),
        rest_error("rest_no_route", 404),
        httpx2.Response(403, html="<html>Blocked by the firewall</html>"),
    ],
)
def test_a_store_that_does_not_tell_loses_nothing(answer: httpx2.Response) -> None:
    assert told(answer) is None


@pytest.mark.parametrize("answer", [HTML, httpx2.Response(502, html="<html>"), httpx2.Response(200, json=["yes"]), httpx2.Response(408)])
def test_what_passes_is_no_answer(answer: httpx2.Response) -> None:
    with pytest.raises(TransientError):
        told(answer)


def test_a_throttle_says_how_long_to_wait() -> None:
    with pytest.raises(ThrottledError) as caught:
        told(httpx2.Response(429, headers={"retry-after": "7"}))
    assert caught.value.retry_after == 7


# ---------------------------------------------------------------- the whole pretend store


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[PlayedApp, WooReads, Access]]:
    """A connected store."""
    with played(tmp_path_factory.mktemp("visibility"), Clock()) as app:
        install_woocommerce(app)
        settings = Settings.model_validate({"sandbox": True, "address_map": app.world.address_map, "extra_ca": app.world.ca_pem})
        transport = Transport(settings.address_map, settings.extra_ca, is_closed_world=True)
        reads = WooCommercePlatform(transport, settings).reads
        assert isinstance(reads, WooReads)
        yield app, reads, Access(1, "boutique.test", {name: str(app.keys[name]) for name in ("consumer_key", "consumer_secret")})
        transport.close()


@pytest.fixture
def shop(running: tuple[PlayedApp, WooReads, Access]) -> Iterator[WooCommerceTwin]:
    """The store on its first day, open."""
    twin = running[0].world.woocommerce
    refurnish(twin.store)
    yield twin
    twin.set_coming_soon(False)


@pytest.mark.parametrize("is_shop_only", [False, True])
def test_a_hidden_store_is_not_open_until_it_is_launched(
    running: tuple[PlayedApp, WooReads, Access], shop: WooCommerceTwin, is_shop_only: bool
) -> None:
    _, reads, access = running
    assert reads.shop_now(access).is_open is True
    shop.set_coming_soon(True, store_pages_only=is_shop_only)
    profile = reads.shop_now(access)
    assert (profile.is_open, profile.name) == (False, "Savonnerie du Port")
    shop.set_coming_soon(False)
    assert reads.shop_now(access).is_open is True


def test_a_store_before_9_1_has_no_such_thing_and_tells_nothing(running: tuple[PlayedApp, WooReads, Access], shop: WooCommerceTwin) -> None:
    _, reads, access = running
    shop.store.version = "9.0.2"
    assert reads.shop_now(access).is_open is None


def test_shoppers_see_what_is_hidden(running: tuple[PlayedApp, WooReads, Access], shop: WooCommerceTwin) -> None:
    browser = running[0].world.browser()
    seen = {}
    for hidden in ("", "store", "site"):
        shop.set_coming_soon(bool(hidden), store_pages_only=hidden == "store")
        pages = [browser.open(f"{STORE}{path}").text for path in ("/", "/product/savon-de-marseille/", "/cart/", "/checkout/")]
        seen[hidden] = ["Check back soon!" in page for page in pages]
    browser.close()
    assert seen == {"": [False] * 4, "store": [False, True, True, True], "site": [True] * 4}


def test_the_api_is_not_hidden(running: tuple[PlayedApp, WooReads, Access], shop: WooCommerceTwin) -> None:
    app, _, _ = running
    shop.set_coming_soon(True)
    assert app.rest("GET", "/wc/v3/products")[0] == 200
    status, body, _ = app.rest("GET", "/wc-admin/options", options="woocommerce_coming_soon,woocommerce_store_pages_only")
    assert (status, body) == (200, {"woocommerce_coming_soon": "yes", "woocommerce_store_pages_only": "no"})
    assert app.rest("GET", "/wc-admin/options", options="woocommerce_coming_soon,active_plugins")[0] == 401
    assert app.rest("GET", "/wc-admin/options")[0] == 401
