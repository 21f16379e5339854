"""What is decided about offers: given once, held once, suspended and resumed, taken back and restored."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from connector.canonical import DisputeChanged, PaymentState, Removed, Resource, ShopProfile
from connector.codes import CodeKind, CodeStatus, Restriction
from connector.errors import Refused
from connector.rules.offers import CodeMode
from connector.store import offer_work, offers, shops
from connector.store.work import hold_inbox
from sync import apply
from sync import offers as tending
from tests.sync.offer_desk import MERCHANT, TEN_PERCENT, OfferDesk


@pytest.fixture
def active(desk: OfferDesk) -> str:
    """An active offer with a code that the store honours."""
    desk.hold_code()
    return desk.publish()


def test_a_paid_order_earns_the_offer_once_and_a_repeated_or_changed_delivery_earns_nothing_more(desk: OfferDesk, active: str) -> None:
    order = desk.buy()
    grant = desk.grant(order)
    assert (grant.state, grant.code, grant.email_norm, desk.hidden(grant)) == ("live", "MERCI10", "anna.petit@example.org", None)
    desk.tell(order)
    desk.change_order(order, total=Decimal(40))
    assert [one.id for one in desk.grants()] == [grant.id]
    assert desk.decision(order) == "granted"


def test_an_unpaid_order_is_looked_at_again_when_it_is_paid(desk: OfferDesk, active: str) -> None:
    order = desk.buy(payment_state=PaymentState.PENDING, paid_at=None)
    assert (desk.grants(), desk.decision(order)) == ([], None)
    desk.change_order(order, payment_state=PaymentState.PAID, paid_at=desk.now)
    assert desk.decision(order) == "granted"


def test_who_finds_somebody_looking_waits_for_nobody_and_what_is_due_is_found_by_the_next_sweep(desk: OfferDesk, active: str) -> None:
    with desk.services.db.transaction(shop=desk.shop_id) as theirs:
        assert offer_work.try_look(theirs, desk.shop_id)
        assert offer_work.hold(theirs, desk.shop_id) is not None
        order = desk.buy()
        assert (desk.grants(), desk.decision(order)) == ([], None)
    with desk.services.db.system_transaction("the sweep") as session:
        assert offer_work.shops_with_due(session, 10) == [desk.shop_id]
    desk.tend()
    assert desk.decision(order) == "granted"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"is_test": True}, "test_order"),
        ({"email": None}, "not_identified"),
        ({"payment_state": PaymentState.REFUNDED}, "order_refunded"),
    ],
)
def test_an_order_that_may_earn_nothing_says_why(desk: OfferDesk, active: str, changes: dict[str, object], reason: str) -> None:
    order = desk.buy(**changes)
    assert (desk.grants(), desk.decision(order)) == ([], reason)


def test_orders_paid_before_the_offer_was_published_or_learned_of_days_later_earn_nothing(desk: OfferDesk) -> None:
    desk.hold_code()
    before = desk.now - timedelta(minutes=5)
    public_id = desk.publish()
    assert desk.decision(desk.buy(paid_at=before, placed_at=before)) == "paid_before_activation"
    desk.later(days=5)
    late = desk.now - timedelta(days=4)
    assert desk.decision(desk.buy("b@example.org", paid_at=late, placed_at=late)) == "learned_too_late"
    assert desk.offer(public_id).state == "active"


def test_an_order_of_the_second_in_which_the_offer_was_published_earns_it_though_stores_tell_whole_seconds(desk: OfferDesk) -> None:
    desk.hold_code()
    desk.publish()
    with desk.services.db.transaction(shop=desk.shop_id) as session:
        activated_at = offers.list_offers(session, shops.get_shop(session, desk.shop_id), can_send_mail=True)[0].offer.activated_at
    assert activated_at is not None
    second = activated_at.replace(microsecond=0)
    assert desk.decision(desk.buy(paid_at=second, placed_at=second)) == "granted"


def test_a_holder_of_an_unused_code_gets_no_other_from_any_offer_by_any_alias(desk: OfferDesk, active: str) -> None:
    desk.hold_code("AUTRE5")
    desk.buy("anna@gmail.com")
    desk.act(active, "deactivate")
    desk.publish(replace(TEN_PERCENT, code="AUTRE5"))
    assert desk.decision(desk.buy("an.na+shop@googlemail.com")) == "holds_unused_offer"
    assert desk.decision(desk.buy("berta@example.org")) == "granted"


def test_an_order_with_the_code_uses_it_and_earns_the_next_one(desk: OfferDesk, active: str) -> None:
    first = desk.grant(desk.buy())
    desk.later(hours=1)
    stranger = desk.buy("berta@example.org", discount_codes=("merci10",))
    assert desk.grants()[0].state == "live"
    using = desk.buy(discount_codes=("OTHER", "merci10"))
    used = desk.grants()[0]
    assert (used.id, used.state, used.used_at) == (first.id, "used", using.placed_at)
    assert desk.hidden(used) == "used"
    assert (desk.decision(using), desk.decision(stranger)) == ("granted", "granted")


def test_who_used_codes_often_enough_gets_no_more(desk: OfferDesk) -> None:
    desk.hold_code()
    desk.publish(most_uses=2)
    desk.buy()
    for reason in ("granted", "too_many_incentives"):
        desk.later(hours=1)
        assert desk.decision(desk.buy("anna.petit+2@example.org", discount_codes=("MERCI10",))) == reason


def test_an_order_below_the_least_earns_nothing(desk: OfferDesk) -> None:
    desk.hold_code()
    desk.publish(minimum_order=Decimal(50))
    assert desk.decision(desk.buy(total=Decimal("49.99"))) == "below_minimum"
    assert desk.decision(desk.buy(total=Decimal(50))) == "granted"


def test_a_code_that_is_gone_suspends_at_once_ends_what_was_given_and_tells_the_owner_once(desk: OfferDesk, active: str) -> None:
    grant = desk.grant(desk.buy())
    desk.drop_code()
    assert (desk.hidden(grant), desk.decision(desk.buy("b@example.org"))) == ("missing", "offer_suspended")
    row = desk.offer(active)
    assert (row.state, row.reason) == ("suspended", "code_deleted")
    assert (desk.grants()[0].state, desk.grants()[0].reason) == ("ended", "code_deleted")
    for _ in range(3):
        desk.tend()
    assert desk.notices() == [("offer_suspended", "code_deleted", False)]


def test_the_end_of_a_code_needs_nobody_to_tell_us(desk: OfferDesk) -> None:
    desk.hold_code(ends_at=desk.now + timedelta(days=2))
    public_id = desk.publish()
    grant = desk.grant(desk.buy())
    assert desk.hidden(grant) is None
    desk.later(days=2)
    assert desk.hidden(grant) == "expired"
    assert desk.offer(public_id).state == "active"
    desk.tend()
    assert (desk.offer(public_id).state, desk.offer(public_id).reason) == ("suspended", "code_expired")
    assert [(cause, settled) for cause, _, settled in desk.notices()] == [("offer_ending", False), ("offer_suspended", False)]


@pytest.mark.parametrize(
    ("changes", "reason", "detail"),
    [
        ({"kind": CodeKind.OTHER}, "unsupported_type", "wrong_kind"),
        ({"restrictions": (Restriction.PRODUCTS,)}, "unsupported_type", "restricted_to_products"),
        ({"usage_limit": 3, "used": 3}, "code_used_up", None),
        ({"status": CodeStatus.EXPIRED}, "code_expired", None),
    ],
)
def test_what_is_changed_in_the_store_suspends(
    desk: OfferDesk, active: str, changes: dict[str, object], reason: str, detail: str | None
) -> None:
    desk.later(minutes=1)
    desk.hold_code(**changes)
    desk.tend()
    row = desk.offer(active)
    assert (row.state, row.reason, row.detail) == ("suspended", reason, detail)


def test_only_a_valid_code_of_the_merchant_resumes_and_old_holders_keep_theirs(desk: OfferDesk, active: str) -> None:
    desk.buy("early@example.org")
    desk.drop_code()
    desk.tend()
    desk.later(minutes=1)
    desk.hold_code()
    desk.tend()
    assert desk.offer(active).state == "suspended"
    desk.change(active, code="GONE")
    desk.tend()
    assert desk.offer(active).state == "suspended"
    desk.hold_code("NEUF10")
    desk.later(minutes=1)
    desk.change(active, code="NEUF10")
    desk.tend()
    assert desk.offer(active).state == "active"
    assert desk.grant(desk.buy("late@example.org")).code == "NEUF10"
    assert [settled for cause, _, settled in desk.notices() if cause == "offer_suspended"] == [True]


def test_a_new_version_is_for_new_recipients_only(desk: OfferDesk, active: str) -> None:
    old = desk.grant(desk.buy())
    desk.hold_code("NEUF10")
    desk.change(active, code="NEUF10", headline="Even more thanks")
    assert desk.offer(active).state == "active"
    new = desk.grant(desk.buy("b@example.org"))
    assert (desk.grants()[0].version_id, desk.grants()[0].code) == (old.version_id, "MERCI10")
    assert (new.code, new.version_id != old.version_id) == ("NEUF10", True)
    desk.later(minutes=1)
    desk.drop_code("NEUF10")
    desk.tend()
    assert (desk.offer(active).state, desk.hidden(old), desk.hidden(new)) == ("suspended", None, "ended")


def test_what_a_store_lacks_suspends_and_comes_back_by_itself(desk: OfferDesk, active: str) -> None:
    grant = desk.grant(desk.buy())
    profile = ShopProfile("Brume", "EUR", "Europe/Paris", "https://brume.example/")
    closed = ("suspended", "requirements", "offer_off")
    for is_open, (state, reason, hidden) in ((False, closed), (None, closed), (True, ("active", None, None))):
        with desk.services.db.transaction(shop=desk.shop_id) as session:
            shops.save_profile(session, desk.shop_id, replace(profile, is_open=is_open))
        assert desk.hidden(grant) == hidden
        desk.tend()
        row = desk.offer(active)
        assert (row.state, row.reason, row.detail) == (state, reason, "storefront" if reason else None)
    assert desk.notices() == [("offer_suspended", "requirements", True)]


def test_a_frozen_store_suspends(desk: OfferDesk, active: str) -> None:
    with desk.services.db.transaction(shop=desk.shop_id) as session:
        shops.note_frozen(session, desk.shop_id)
    desk.tend()
    assert (desk.offer(active).reason, desk.offer(active).detail) == ("requirements", "shop_open")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"payment_state": PaymentState.REFUNDED}, "order_refunded"),
        ({"refunded_total": Decimal("12.50"), "payment_state": PaymentState.PARTIALLY_REFUNDED}, "order_refunded"),
        ({"payment_state": PaymentState.PENDING}, "order_unpaid"),
        ({"payment_state": PaymentState.VOIDED}, "order_cancelled"),
    ],
)
@pytest.mark.spec("C59")
def test_an_order_taken_back_takes_the_grant_with_it_and_reinstated_brings_it_back(
    desk: OfferDesk, active: str, changes: dict[str, object], reason: str
) -> None:
    order = desk.buy()
    desk.change_order(order, **changes)
    grant = desk.grant(order)
    assert (grant.state, grant.reason, desk.hidden(grant)) == ("suspended", reason, "suspended")
    desk.change_order(order)
    assert (desk.grant(order).state, desk.hidden(desk.grant(order))) == ("live", None)


def test_a_refund_of_a_part_leaves_the_grant(desk: OfferDesk, active: str) -> None:
    order = desk.buy()
    desk.change_order(order, payment_state=PaymentState.PARTIALLY_REFUNDED, refunded_total=Decimal(5))
    assert desk.grant(order).state == "live"


def test_a_chargeback_and_a_deleted_order_suspend_and_a_dispute_that_is_won_restores(desk: OfferDesk, active: str) -> None:
    order = desk.buy()
    for is_disputed, state, reason in ((True, "suspended", "order_disputed"), (False, "live", None)):
        desk.later(minutes=1)
        _tell(desk, DisputeChanged(order.platform_id, is_disputed, desk.now))
        assert (desk.grant(order).state, desk.grant(order).reason) == (state, reason)
    _tell(desk, DisputeChanged(order.platform_id, True, desk.now - timedelta(minutes=5)))
    assert desk.grant(order).state == "live", "an older word of a dispute counts no more"
    _tell(desk, Removed(Resource.ORDER, desk.now, order.platform_id))
    assert (desk.grant(order).state, desk.grant(order).reason) == ("suspended", "order_deleted")


def test_an_order_that_is_read_tells_of_its_dispute_unless_somebody_said_something_newer(desk: OfferDesk, active: str) -> None:
    order = desk.buy()
    read = desk.change_order(order, is_disputed=True)
    assert desk.grant(order).reason == "order_disputed"
    desk.later(minutes=1)
    _tell(desk, DisputeChanged(order.platform_id, False, desk.now))
    desk.tell(read)
    assert desk.grant(order).state == "live"


def test_a_reinstated_order_gives_no_second_offer_to_who_holds_another_by_now(desk: OfferDesk, active: str) -> None:
    first = desk.buy()
    desk.change_order(first, payment_state=PaymentState.REFUNDED)
    second = desk.buy()
    assert desk.decision(second) == "granted"
    desk.change_order(first)
    assert (desk.grant(first).state, desk.grant(first).reason, desk.grant(second).state) == ("suspended", "holds_other", "live")


def test_switched_off_or_deleted_it_is_shown_no_more_and_given_no_more_but_codes_live_on(desk: OfferDesk, active: str) -> None:
    grant = desk.grant(desk.buy())
    desk.act(active, "deactivate")
    assert (desk.hidden(grant), desk.grants()[0].state) == ("offer_off", "live")
    desk.act(active, "publish")
    assert desk.hidden(grant) is None
    desk.act(active, "delete")
    later = desk.buy("b@example.org")
    assert (desk.hidden(grant), desk.decision(later), len(desk.grants())) == ("offer_off", None, 1)
    with desk.services.db.transaction(shop=desk.shop_id) as session:
        shop = shops.get_shop(session, desk.shop_id)
        seen = offers.get_offer(session, shop, active, can_send_mail=True, with_deleted=True)
        with pytest.raises(Refused, match="deleted cannot become active"):
            offers.publish(session, shop, seen.offer, MERCHANT, can_send_mail=True)


def test_every_step_of_a_life_is_kept_with_who_took_it(desk: OfferDesk, active: str) -> None:
    desk.drop_code()
    desk.tend()
    desk.act(active, "delete")
    with desk.services.db.transaction(shop=desk.shop_id) as session:
        events = offers.list_events(session, desk.offer(active).id or 0)
    assert [(one.action, one.from_state, one.to_state, one.reason, one.actor) for one in reversed(events)] == [
        ("created", None, "draft", None, MERCHANT.name),
        ("published", "draft", "active", None, MERCHANT.name),
        ("suspended", "active", "suspended", "code_deleted", "system"),
        ("deleted", "suspended", "deleted", None, MERCHANT.name),
    ]


def test_without_a_good_code_nothing_is_published(desk: OfferDesk) -> None:
    for changes in ({"code": None}, {"code": "NOWHERE"}, {"headline": ""}, {"mode": CodeMode.UNIQUE}):
        with pytest.raises(Refused):
            desk.publish(**changes)


def test_tending_again_or_a_shop_without_offers_changes_nothing(desk: OfferDesk) -> None:
    order = desk.buy()
    assert tending.tend(desk.services, desk.shop_id) == 0
    desk.hold_code()
    desk.publish()
    assert (desk.decision(order), desk.grants()) == (None, [])
    desk.buy()
    before = [(one.state, one.state_at) for one in desk.grants()]
    assert tending.tend(desk.services, desk.shop_id) == 0
    assert [(one.state, one.state_at) for one in desk.grants()] == before


def _tell(desk: OfferDesk, *events: DisputeChanged | Removed) -> None:
    with desk.services.db.transaction(shop=desk.shop_id) as session:
        shop = hold_inbox(session, desk.shop_id)
        assert shop is not None
        batch = apply.Batch()
        batch.tell(events)
        apply.save(session, desk.services, shop, batch)
    desk.tend()
