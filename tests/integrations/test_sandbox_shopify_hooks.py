"""Which of the pretend Shopify's webhooks leave: the app's own subscriptions, those of this shop alone, and silence."""

from collections.abc import Iterator

import pytest

from integrations.sandbox.app_configuration import COMPLIANCE_TOPICS
from integrations.sandbox.shopify_twin import ShopifyTwin
from tests.integrations.sandbox_app import SHOPIFY_HOOKS, Clock, Heard, PlayedApp, install_shopify, played, reset_shopify

ADDRESS = f"https://connector.test{SHOPIFY_HOOKS}"
ELSEWHERE = "https://connector.test/elsewhere"
CREATE = """
mutation Create($topic: WebhookSubscriptionTopic!, $sub: WebhookSubscriptionInput!) {
  webhookSubscriptionCreate(topic: $topic, webhookSubscription: $sub) { webhookSubscription { id } userErrors { message } }
}
"""


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, clock: Clock) -> Iterator[PlayedApp]:
    with played(tmp_path_factory.mktemp("shopify"), clock) as app:
        yield app


@pytest.fixture
def app(running: PlayedApp, clock: Clock) -> Iterator[PlayedApp]:
    reset_shopify(running, clock)
    running.world.shopify.hooks.silent.clear()
    running.world.shopify.shop.subscriptions.clear()
    yield running
    running.statuses.clear()
    running.world.settle()


@pytest.fixture
def twin(app: PlayedApp) -> ShopifyTwin:
    return app.world.shopify


def subscribe(app: PlayedApp, topic: str = "ORDERS_CREATE", uri: str = ADDRESS, name: str | None = "connector-fallback") -> None:
    """Subscribe a topic for this shop alone, through the API."""
    _, answer = app.graphql(CREATE, {"topic": topic, "sub": {"uri": uri, "name": name}})
    assert answer["data"]["webhookSubscriptionCreate"]["userErrors"] == []


def heard(app: PlayedApp, topic: str = "orders/create") -> list[Heard]:
    """What came of a topic."""
    assert app.world.settle()
    return app.webhooks(topic)


def buy(twin: ShopifyTwin) -> int:
    """An order."""
    return twin.pay(twin.start_checkout([("CEDAR-S", 1)], email="a@example.com"))


def test_a_silent_topic_does_not_leave_and_what_was_missed_does_not_come_later(app: PlayedApp, twin: ShopifyTwin) -> None:
    twin.silence("orders/create")
    buy(twin)
    assert heard(app) == []
    assert len(heard(app, "orders/paid")) == 1
    twin.speak("orders/create")
    assert heard(app) == []
    buy(twin)
    assert len(heard(app)) == 1


def test_a_subscription_of_this_shop_alone_delivers_under_its_name_though_the_topic_is_silent(app: PlayedApp, twin: ShopifyTwin) -> None:
    subscribe(app)
    twin.silence("orders/create")
    buy(twin)
    (one,) = heard(app)
    assert one.headers["x-shopify-name"] == "connector-fallback"


def test_both_kinds_deliver_twice_with_ids_of_their_own_and_one_event(app: PlayedApp, twin: ShopifyTwin) -> None:
    subscribe(app)
    subscribe(app, uri=ELSEWHERE, name=None)
    buy(twin)
    found = heard(app)
    assert sorted((one.path, one.headers.get("x-shopify-name", "")) for one in found) == [
        ("/elsewhere", ""),
        (SHOPIFY_HOOKS, ""),
        (SHOPIFY_HOOKS, "connector-fallback"),
    ]
    assert len({one.headers["x-shopify-webhook-id"] for one in found}) == 3
    assert len({(one.headers["x-shopify-event-id"], one.body) for one in found}) == 1


def test_after_eight_failures_in_a_row_shopify_takes_a_shops_own_subscription_away_and_not_the_apps(
    app: PlayedApp, twin: ShopifyTwin, clock: Clock
) -> None:
    subscribe(app, uri=ELSEWHERE)
    app.statuses["/elsewhere"] = 500
    buy(twin)
    for _ in range(7):
        assert app.world.settle()
        due = app.world.next_due()
        assert due is not None
        clock.at = due
    assert app.world.settle()
    assert len(twin.shop.subscriptions) == 0
    assert [one.uri for one in twin.shop.subscriptions.removed[-1:]] == [ELSEWHERE]
    app.heard.clear()
    buy(twin)
    assert [one.path for one in heard(app)] == [SHOPIFY_HOOKS]


def test_a_success_forgets_the_failures_before_it(app: PlayedApp, twin: ShopifyTwin) -> None:
    subscribe(app, uri=ELSEWHERE)
    app.statuses["/elsewhere"] = 500
    for _ in range(7):
        buy(twin)
    assert app.world.settle()
    app.statuses.clear()
    buy(twin)
    assert app.world.settle()
    app.statuses["/elsewhere"] = 500
    for _ in range(7):
        buy(twin)
    assert app.world.settle()
    assert len(twin.shop.subscriptions) == 1


def test_an_uninstall_ends_the_shops_own_subscriptions_for_good(app: PlayedApp, twin: ShopifyTwin) -> None:
    subscribe(app, uri=ELSEWHERE)
    twin.uninstall()
    install_shopify(app)
    app.world.settle()
    app.heard.clear()
    buy(twin)
    assert [one.path for one in heard(app)] == [SHOPIFY_HOOKS]


def test_compliance_topics_leave_without_an_installed_app(app: PlayedApp, twin: ShopifyTwin) -> None:
    order = twin.shop.find_order(buy(twin))
    assert order.checkout.customer is not None
    twin.uninstall()
    assert app.world.settle()
    app.heard.clear()
    twin.request_data(order.checkout.customer.id)
    twin.redact_customer(order.checkout.customer.id)
    twin.redact_shop()
    assert app.world.settle()
    assert [one.headers["x-shopify-topic"] for one in app.heard] == list(COMPLIANCE_TOPICS)
