"""Wishes about codes: what is due for whom, how a version stands, and that few rows are read among many."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from connector.codes import CodeKind
from connector.store import offer_code_statements as sql
from connector.store import offer_code_work, offer_codes, offers, shops
from connector.store.codes import kept_of
from connector.store.db import Database, Session
from connector.store.offer_tables import OfferVersionRow
from sync.services import Services
from tests.conftest import TestShop
from tests.store.writing import clear
from tests.sync.code_desk import CodeDesk, code_desk
from tests.sync.offer_desk import MERCHANT

MANY = 10_000
FEW = 12
DAY = timedelta(days=1)
FILL = """
    insert into offer_codes (public_id, shop_id, offer_id, version_id, role, model_id, code, ends_at, wanted, actual, platform_id, grant_id,
        created_at, changed_at, due_at)
    select 'ofc_' || n, k.shop_id, k.offer_id, k.version_id, 'unique', k.id, 'MERCI-' || n, k.ends_at, 'issued', 'issued', k.platform_id,
           (select max(id) from grants), k.created_at, k.created_at, k.created_at
    from generate_series(1, :many) n, offer_codes k where k.role = 'model'
"""


@pytest.fixture
def desk(request: pytest.FixtureRequest, db: Database, vault: Any, sandbox_settings: Any, shopify_shop: TestShop) -> CodeDesk:
    """A shop before a store in memory."""
    return code_desk(Services(db, vault, {}, None, sandbox_settings), shopify_shop)


def version_of(session: Session, desk: CodeDesk, public_id: str) -> OfferVersionRow:
    """The newest version of an offer."""
    shop = shops.get_shop(session, desk.shop_id)
    return offers.get_offer(session, shop, public_id, can_send_mail=True).version


def due(desk: CodeDesk) -> tuple[list[int], bool]:
    """The shops that are rung for, and whether this one has something to do."""
    with desk.services.db.system_transaction("test") as session:
        shop_ids = offer_codes.shops_with_due(session, 10)
    with desk.services.db.transaction(shop=desk.shop_id) as session:
        return shop_ids, offer_codes.has_due(session, desk.shop_id)


def draft(desk: CodeDesk) -> str:
    """An offer with one code that we make; nobody has asked the store yet."""
    desk.services = Services(desk.services.db, desk.services.vault, desk.services.platforms, None, desk.services.settings)
    with desk.services.db.transaction(shop=desk.shop_id) as session:
        shop = shops.get_shop(session, desk.shop_id)
        from_now = desk.now.replace(microsecond=0) + DAY
        terms = offers.Terms(headline="Thank you", code="AUTOMNE", is_ours=True, kind=CodeKind.FREE_SHIPPING, ends_at=from_now)
        row = offers.create_draft(session, shop, "Thanks", terms, MERCHANT)
        offer_codes.want_shared(session, desk.shop_id, offers.newest_version(session, row))
        return row.public_id


def test_a_wish_is_due_at_once_and_only_for_a_connected_shop(desk: CodeDesk) -> None:
    assert due(desk) == ([], False)
    draft(desk)
    assert due(desk) == ([desk.shop_id], True)
    with desk.services.db.engine.begin() as connection:
        connection.exec_driver_sql("update shops set state = 'needs_sign_in'")
    assert due(desk)[0] == []


def test_what_is_claimed_is_due_again_when_its_lease_ends(desk: CodeDesk) -> None:
    draft(desk)
    with desk.services.db.transaction(shop=desk.shop_id) as session:
        task = offer_code_work.claim(session, desk.shop_id)
        assert task is not None
        assert (task.act, task.names) == (offer_code_work.Act.ISSUE, ("AUTOMNE",))
    assert due(desk) == ([], False)
    desk.later(minutes=3)
    assert due(desk) == ([desk.shop_id], True)


def test_an_outcome_of_somebody_whose_lease_ended_changes_nothing(desk: CodeDesk) -> None:
    draft(desk)
    with desk.services.db.transaction(shop=desk.shop_id) as session:
        task = offer_code_work.claim(session, desk.shop_id)
        assert task is not None
    desk.later(minutes=4)
    with desk.services.db.transaction(shop=desk.shop_id) as session:
        assert offer_code_work.claim(session, desk.shop_id) is not None
    result = offer_code_work.Result({task.first.id or 0: offer_code_work.Outcome("issued", platform_id="1")})
    with desk.services.db.transaction(shop=desk.shop_id) as session:
        offer_code_work.settle(session, shops.get_shop(session, desk.shop_id), task, result)
    assert [(row.actual, row.platform_id) for row in desk.codes()] == [("none", None)]


def test_another_shops_codes_are_not_seen(desk: CodeDesk, woo_shop: TestShop) -> None:
    draft(desk)
    with desk.services.db.transaction(shop=woo_shop.id) as session:
        assert not offer_codes.has_due(session, desk.shop_id)
        assert offer_code_work.claim(session, desk.shop_id) is None


@pytest.mark.parametrize("is_analyzed", [False, True])
def test_among_many_codes_only_those_that_matter_are_read(desk: CodeDesk, services_with_mail: CodeDesk, is_analyzed: bool) -> None:
    """A series of which ten thousand codes were given and looked at, and nothing is to be done."""
    desk = services_with_mail
    clear(desk.services.db, "offer_codes", "discount_codes", "grants")
    desk.publish_own(valid_days=None, ends_at=desk.now + 60 * DAY)
    desk.buy()
    desk.work()
    with desk.services.db.engine.begin() as connection:
        connection.execute(text(FILL), {"many": MANY})
        if is_analyzed:
            connection.execute(text("analyze offer_codes, discount_codes, grants"))
    now = datetime.now(UTC)
    values = {"shop": desk.shop_id, "now": now, "before": now - 30 * DAY, "until": now, "limit": 9}
    statements = [sql.END_HEADS, sql.END_UNIQUE, sql.OLD_HEADS, sql.HAS_DUE, sql.SHOPS_WITH_DUE]
    statements += [offer_code_work._NEXT, offer_code_work._HOLD_BACK]
    for statement in statements:
        with desk.services.db.transaction(shop=desk.shop_id) as session:
            plan = explain(session, getattr(statement, "text", statement), values)
        read = [int(rows) * int(loops) for rows, loops in re.findall(r"actual rows=(\d+)(?:\.\d+)? loops=(\d+)", plan)]
        thrown = [int(rows) for rows in re.findall(r"Rows Removed by [^:]+: (\d+)", plan)]
        assert max(read) <= FEW, plan
        assert sum(thrown) <= FEW, plan


@pytest.fixture
def services_with_mail(desk: CodeDesk) -> CodeDesk:
    """The same shop, for which mails can be sent."""
    mail: Any = object()
    services = desk.services
    desk.services = Services(services.db, services.vault, services.platforms, mail, services.settings)
    return desk


def explain(session: Session, statement: str, values: dict[str, Any]) -> str:
    """How a statement was carried out."""
    wanted = {name: value for name, value in values.items() if f":{name}" in statement}
    return "\n".join(session.execute(text(f"explain (analyze, timing off) {statement}"), wanted).scalars())


def test_of_a_discount_with_many_codes_some_are_told(desk: CodeDesk) -> None:
    with desk.services.db.transaction(shop=desk.shop_id) as session:
        assert kept_of(session, desk.shop_id, ["1"], 20) == {}
