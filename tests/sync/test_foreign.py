"""A job that works for one shop touches nothing of another's, whatever id it holds: refused, and said so in the log."""

import inspect

import pytest
from structlog.testing import capture_logs

from connector.canonical import Channel
from connector.messages.envelope import Handover, SendResult
from connector.rules.automations import Reason
from connector.store import people
from connector.store.sealed import Vault
from sync import send
from sync.actors import WORK
from tests.conftest import install
from tests.sync.bodies import shopify_checkout
from tests.sync.world import World


@pytest.mark.spec("SEC-182")
def test_the_end_of_a_message_of_another_shop_is_refused_and_noted(world: World, vault: Vault) -> None:
    other = install(world.db, vault, "woocommerce", "other.test", "Other")
    world.turn_on()
    world.arrive("checkouts/update", shopify_checkout("tok", world.start, email="anna.petit@example.org"))
    world.go_to(world.at(60))
    world.abandon()
    claimed = send.claim(world.services, world.shop.id)
    assert claimed is not None
    with capture_logs() as events:
        send._record(world.services, other.id, claimed, SendResult(Handover.REFUSED, "550", is_bad_address=True), Reason.REFUSED)
    assert [(event["event"], event["log_level"]) for event in events] == [("message.claim_lost", "warning")]
    assert world.messages() == [("sending", None)]
    with world.db.transaction(shop=other.id) as session:
        assert not people.suppressed_among(session, vault, other.id, Channel.EMAIL, [claimed.address]), "nothing of it is kept there"
    send._record(world.services, world.shop.id, claimed, SendResult(Handover.SENT), Reason.REFUSED)
    assert world.messages() == [("sent", None)]


@pytest.mark.spec("SEC-182")
def test_a_job_carries_the_id_of_a_shop_and_nothing_else() -> None:
    """So it cannot name an object of another shop: what it works on is looked up in that shop's own transaction."""
    for job, work in WORK.items():
        needed = [one for one in inspect.signature(work).parameters.values() if one.default is inspect.Parameter.empty]
        names = [one.name for one in needed] or []
        assert names in (["services", "shop_id"], ["services"]), job
