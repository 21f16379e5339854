"""Our own mails are handed over: claim | call | record."""

import threading
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from connector.messages.envelope import Envelope, Handover, SendResult
from connector.store import notices, shops, system_mails
from connector.store.notices import About, Cause
from connector.store.sealed import Vault
from connector.store.system_mails import SystemMail
from sync import post, sweep
from sync.broker import Bell, make_broker
from sync.services import Services
from tests.conftest import TestShop
from tests.fake_sender import FakeSender
from tests.store.people import pass_time, rows
from tests.sync.working import wait_until, working

LATER = SendResult(Handover.RETRY, "451 busy")


def queue(services: Services, kind: str = system_mails.PREVIEW, to: str = "anna@example.org") -> str:
    mail = SystemMail(to, "Hello", "plain words", "<p>words</p>", "Connector <connector@localhost>")
    with services.db.system_transaction("test") as session:
        return system_mails.queue(session, services.vault, kind, mail)


def states(services: Services) -> list[tuple[str, str | None]]:
    return [(row["state"], row["detail"]) for row in rows(services.db, "select state, detail from system_mails order by id")]


def test_a_mail_is_handed_over_once_as_it_was_queued(services: Services, sender: FakeSender) -> None:
    name = queue(services)

    assert [post.post_mails(services) for _ in range(2)] == [1, 0]
    (envelope,) = sender.handed
    assert (envelope.to, envelope.subject, envelope.text, envelope.html) == ("anna@example.org", "Hello", "plain words", "<p>words</p>")
    assert (envelope.sender, envelope.message_id) == ("Connector <connector@localhost>", f"{name}@localhost")
    assert envelope.headers["Auto-Submitted"] == "auto-generated"
    assert states(services) == [("sent", "250 ok")]
    assert rows(services.db, "select sealed from system_mails") == [{"sealed": None}]


def test_nothing_is_claimed_without_a_sender(services: Services) -> None:
    queue(services)
    mute = replace(services, mail=None)
    assert post.post_mails(mute) == 0
    assert sweep.find_due(mute) == []
    assert states(services) == [("queued", None)]


def test_somebody_who_waits_for_a_link_is_written_to_first(services: Services, sender: FakeSender) -> None:
    queue(services, system_mails.PREVIEW, "first@example.org")
    queue(services, system_mails.INVITATION, "second@example.org")
    queue(services, system_mails.SIGN_IN, "waiting@example.org")
    assert post.post_mails(services) == 3
    assert sender.recipients == ["waiting@example.org", "first@example.org", "second@example.org"]


def test_a_refusal_for_now_is_tried_again_after_longer_and_longer_pauses_and_then_given_up(services: Services, sender: FakeSender) -> None:
    queue(services)
    sender.answers = [LATER] * 20
    for number, seconds in enumerate(post.RETRY_SECONDS, start=1):
        assert post.post_mails(services) == 1
        assert (states(services), len(sender.handed)) == ([("queued", "451 busy")], number)
        pass_time(services.db, seconds=seconds - 1)
        assert post.post_mails(services) == 0
        pass_time(services.db, seconds=1)
    assert post.post_mails(services) == 1
    assert states(services) == [("refused", "451 busy")]


def test_a_sign_in_mail_is_tried_again_only_while_its_link_is_good(services: Services, sender: FakeSender) -> None:
    queue(services, system_mails.SIGN_IN)
    sender.answers = [LATER] * 20
    for _ in range(60):
        post.post_mails(services)
        pass_time(services.db, seconds=20)
    assert states(services) == [("refused", "451 busy")]
    tries = len(sender.handed)
    assert tries >= 4
    assert sum(post.RETRY_SECONDS[: tries - 1]) < 15 * 60


def test_a_sign_in_mail_that_waited_too_long_is_never_sent(services: Services, sender: FakeSender) -> None:
    queue(services, system_mails.SIGN_IN)
    pass_time(services.db, minutes=15)
    assert post.post_mails(services) == 0
    assert sender.handed == []
    assert states(services) == [("refused", system_mails.TOO_LATE)]


@pytest.mark.parametrize(("handover", "state"), [(Handover.REFUSED, "refused"), (Handover.UNKNOWN, "unknown")])
def test_what_was_refused_for_good_or_is_unknown_is_not_sent_again(
    services: Services, sender: FakeSender, handover: Handover, state: str
) -> None:
    queue(services)
    sender.answers = [SendResult(handover, "words")]
    assert post.post_mails(services) == 1
    pass_time(services.db, days=2)
    assert post.post_mails(services) == 0
    assert states(services) == [(state, "words")]


def test_of_many_workers_each_mail_is_sent_by_one(services: Services, sender: FakeSender) -> None:
    for number in range(20):
        queue(services, to=f"p{number}@example.org")
    threads = [threading.Thread(target=post.post_mails, args=(services,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(sender.recipients) == sorted(f"p{number}@example.org" for number in range(20))


def test_a_worker_that_dies_in_mid_send_leaves_an_unknown_mail_that_nobody_repeats(services: Services, sender: FakeSender) -> None:
    class Killed(BaseException):
        """The end of a process."""

    def die(envelope: Envelope) -> None:
        raise Killed

    queue(services)
    sender.before = die
    with pytest.raises(Killed):
        post.post_mails(services)
    sender.before = lambda envelope: None
    assert post.post_mails(services) == 0
    pass_time(services.db, minutes=6, seconds=1)
    sweep.expire(services)
    assert states(services) == [("unknown", None)]
    assert post.post_mails(services) == 0
    assert sender.handed == []


def test_a_mail_that_cannot_be_opened_is_refused_and_holds_up_no_other(services: Services, sender: FakeSender) -> None:
    other = replace(services, vault=Vault(["OTg3NjU0MzIxMGFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="]))
    queue(other)
    queue(services)
    assert post.post_mails(services) == 2
    assert states(services) == [("refused", post.NOT_COMPOSED), ("sent", "250 ok")]


def test_owners_are_told_in_their_language_with_a_link_to_the_shop(services: Services, sender: FakeSender, shopify_shop: TestShop) -> None:
    with services.db.transaction(shop=shopify_shop.id) as session:
        shop = shops.get_shop(session, shopify_shop.id)
        assert notices.tell(session, services.vault, shop, Cause.NEEDS_SIGN_IN, shop.public_id)
    assert post.post_mails(services) == 1
    (envelope,) = sender.handed
    assert envelope.to == "bonjour@demo.myshopify.com"
    assert envelope.subject == "Démo n’est plus connectée"
    for part in (envelope.text, envelope.html):
        assert f"https://connector.test/app/shops/{shop.public_id}" in part


@pytest.mark.parametrize(
    ("cause", "about", "subject", "says"),
    [
        (
            Cause.OFFER_SUSPENDED,
            About("Merci", "/app/shops/shp_1/offers/ofr_1", reason="code_deleted"),
            "L’offre « Merci » de Démo est suspendue",
            ("Son code de réduction n’existe plus dans la boutique.", "Créez un nouveau code de réduction"),
        ),
        (
            Cause.OFFER_SUSPENDED,
            About("Merci", "/app/shops/shp_1/offers/ofr_1", reason="requirements", detail="storefront"),
            "L’offre « Merci » de Démo est suspendue",
            ("protégée par un mot de passe", "Ouvrez la boutique aux visiteurs."),
        ),
        (
            Cause.OFFER_ENDING,
            About("Merci", "/app/shops/shp_1/offers/ofr_1", at=datetime(2026, 11, 30, 13, 0, tzinfo=UTC)),
            "L’offre « Merci » de Démo prend bientôt fin",
            ("jusqu’au 30 novembre 2026 à 14:00 (CET)",),
        ),
    ],
)
def test_owners_are_told_of_an_offer_with_its_reason_and_a_link_to_its_page(
    services: Services, sender: FakeSender, shopify_shop: TestShop, cause: Cause, about: About, subject: str, says: tuple[str, ...]
) -> None:
    with services.db.transaction(shop=shopify_shop.id) as session:
        shop = shops.get_shop(session, shopify_shop.id)
        assert [notices.tell(session, services.vault, shop, cause, "ofr_1", about=about) for _ in range(3)] == [True, False, False]
    assert [post.post_mails(services) for _ in range(2)] == [1, 0]
    (envelope,) = sender.handed
    assert (envelope.to, envelope.subject) == ("bonjour@demo.myshopify.com", subject)
    for part in (envelope.text, envelope.html):
        assert "https://connector.test/app/shops/shp_1/offers/ofr_1" in part
        for words in says:
            assert words in part


def test_queueing_rings_and_the_sweep_finds_what_was_not_heard(services: Services) -> None:
    rung: list[tuple[str, int]] = []
    services.db.on_wake(lambda wake: rung.append((wake.job, wake.shop_id)))
    queue(services)
    assert rung == [("post_mails", 0)]
    rung.clear()
    assert sweep.sweep(services) == 1
    assert rung == [("post_mails", 0)]


def test_a_worker_that_was_rung_for_sends_it(services: Services, sender: FakeSender) -> None:
    bell = Bell(make_broker(services.settings), services)
    services.db.on_wake(bell.ring)
    with working(bell, threads=2):
        queue(services)
        wait_until(lambda: states(services) == [("sent", "250 ok")])
    assert sender.recipients == ["anna@example.org"]
