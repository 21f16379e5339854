"""The connection doctor at the pretend store: a store that is changed on purpose is found as it is, over the wire."""

from collections.abc import Iterator

import pytest

from connector.checkups import Check, Verdict
from connector.platforms import Checkup
from integrations.sandbox.faults import ANSWERS, Kind
from integrations.sandbox.woocommerce_twin import WooCommerceTwin
from tests.integrations.sandbox_calls import WOOCOMMERCE, Calls, connected

WHERE = "https://connector.test/webhooks/woocommerce/key"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Calls]:
    """A pretend store, and the adapter connected to it."""
    with connected(tmp_path_factory.mktemp("doctor")) as calls:
        yield calls


@pytest.fixture
def twin(running: Calls) -> Iterator[WooCommerceTwin]:
    """The store; afterwards it is as it was."""
    twin = running.app.world.woocommerce
    store = twin.store
    before = (store.version, store.hpos, store.active_plugins, store.home, store.plugin.is_active, store.plugin.home)
    yield twin
    twin.faults.stop()
    store.version, store.hpos, store.active_plugins, store.home, store.plugin.is_active, store.plugin.home = before


def examine(calls: Calls, address: str = WHERE) -> dict[str, Check]:
    """What is found now."""
    platform = calls.platforms[WOOCOMMERCE]
    checkup: Checkup | None = platform.checkup
    assert checkup is not None
    return {one.code: one for one in checkup.examine(calls.woocommerce, address)}


def told(check: Check) -> tuple[Verdict, str]:
    """Verdict and cause."""
    return check.verdict, check.cause


def test_a_fresh_store_with_the_plugin_is_in_order_once_its_webhooks_lead_here(running: Calls, twin: WooCommerceTwin) -> None:
    twin.store.plugin.is_active = True
    before = examine(running)
    assert told(before["webhooks"]) == (Verdict.BAD, "none")
    running.platforms[WOOCOMMERCE].subscribe(running.woocommerce, WHERE, "webhookSecret1")
    found = examine(running)
    # The store's clock is a virtual one, which the test has stopped.
    assert {code: one.verdict for code, one in found.items() if one.verdict is not Verdict.GOOD} == {"clock": Verdict.BAD}
    assert found["plugin"].found == (twin.store.plugin.version,)
    assert found["capture"].cause == twin.store.plugin.capture
    hook = next(iter(one for one in twin.store.webhooks.values() if one.delivery_url == WHERE))
    hook.status = "disabled"
    assert examine(running)["webhooks"].found[1:] == (hook.topic,)


def test_without_the_plugin_it_says_what_is_missing(running: Calls, twin: WooCommerceTwin) -> None:
    twin.store.plugin.is_active = False
    assert told(examine(running)["plugin"]) == (Verdict.ATTENTION, "missing_drafts")
    twin.store.version = "10.9.1"
    twin.store.active_plugins = ("klaviyo/klaviyo.php", "klarna-checkout-for-woocommerce/klarna-checkout-for-woocommerce.php")
    found = examine(running)
    assert told(found["plugin"]) == (Verdict.ATTENTION, "missing")
    assert found["mailers"].found == ("Klaviyo",)
    assert told(found["hidden_email"]) == (Verdict.ATTENTION, "iframe")


def test_a_copy_of_the_store_is_found(running: Calls, twin: WooCommerceTwin) -> None:
    twin.store.plugin.is_active = True
    twin.store.plugin.home = "https://elsewhere.example"
    assert told(examine(running)["plugin"]) == (Verdict.BAD, "moved")


def test_keys_that_were_revoked_or_may_only_read_are_told_apart(running: Calls, twin: WooCommerceTwin) -> None:
    keys = twin.store.keys
    kept = dict(keys)
    [number] = keys
    try:
        keys[number] = type(kept[number])(number, kept[number].key, kept[number].secret, "read")
        assert told(examine(running)["rights"]) == (Verdict.BAD, "read_only")
        keys[number] = type(kept[number])(number, kept[number].key, kept[number].secret, "write")
        assert told(examine(running)["rights"]) == (Verdict.BAD, "no_read")
        keys.clear()
        assert told(examine(running)["keys"]) == (Verdict.BAD, "dead")
    finally:
        keys.clear()
        keys.update(kept)


@pytest.mark.parametrize("kind", list(ANSWERS))
def test_no_fault_of_the_store_is_raised(kind: Kind, running: Calls, twin: WooCommerceTwin) -> None:
    for after in range(3):
        twin.faults.stop()
        twin.faults.spoil_next(kind, after=after, seconds=0.1)
        assert {"address", "webhooks", "plugin"} <= set(examine(running))
