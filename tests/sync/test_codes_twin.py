"""A store's coupons through our door, our rows and our watch: what its merchant and its shoppers do, and no event tells of."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connector import clock
from connector.codes import CodeKind, CodeState, CodeStatus
from connector.config import Settings
from connector.store import codes
from connector.store.db import Database
from connector.store.sealed import Vault
from tests.conftest import TestShop
from tests.integrations.coupon_ground import TEN_PERCENT
from tests.sync.woo_stage import WooStage, woo_stage


@pytest.fixture
def stage(tmp_path: Path, db: Database, vault: Vault, sandbox_settings: Settings, woo_shop: TestShop) -> Iterator[WooStage]:
    """A connected store."""
    with woo_stage(tmp_path, db, vault, sandbox_settings, woo_shop) as stage:
        yield stage


def test_what_the_merchant_does_with_a_coupon_is_seen_by_its_events(stage: WooStage) -> None:
    made = stage.twin.coupons.make("ete-2026", discount_type="percent", amount="10")
    stage.settle()
    assert (stage.code("ete-2026")["status"], stage.code("ete-2026")["value"]) == ("active", 10)
    stage.twin.coupons.edit(made.id, amount="15")
    stage.settle()
    assert stage.code("ete-2026")["value"] == 15
    stage.twin.coupons.edit(made.id, code="Automne")
    stage.settle()
    assert stage.code("automne")["deleted_at"] is None
    assert stage.code("ete-2026")["deleted_at"] is not None
    stage.twin.coupons.trash(made.id)
    stage.settle()
    assert stage.code("automne")["deleted_at"] is not None
    stage.twin.coupons.restore(made.id)
    stage.settle()
    assert stage.code("automne")["deleted_at"] is None
    stage.twin.coupons.delete(made.id)
    stage.settle()
    assert stage.code("automne")["deleted_at"] is not None


def test_a_stray_deletion_of_a_product_takes_no_code_with_it(stage: WooStage) -> None:
    made = stage.twin.coupons.make("reste")
    stage.settle()
    stage.twin.coupons.fire(("coupon.deleted",), 999_999)
    stage.twin.coupons.fire(("product.deleted",), made.id)
    stage.settle()
    assert stage.code("reste")["deleted_at"] is None


def test_a_use_that_no_event_tells_of_is_seen_within_a_quarter_of_an_hour(stage: WooStage) -> None:
    stage.twin.coupons.make("une-fois", usage_limit=1)
    stage.settle()
    stage.twin.store.coupons.note_status(1, "processing", ["une-fois"], "lea@example.org")
    stage.later(60, is_watched=False)
    stage.settle()
    assert stage.code("une-fois")["used"] == 0
    stage.later(1)
    assert stage.code("une-fois")["used"] == 1
    stage.twin.store.coupons.note_status(1, "cancelled", ["une-fois"], "lea@example.org")
    stage.later(15)
    assert stage.code("une-fois")["used"] == 0


def test_an_end_that_came_is_seen_at_once_and_the_code_is_then_left_alone(stage: WooStage) -> None:
    end = clock.now().replace(microsecond=0) + timedelta(minutes=30)
    stage.twin.coupons.make("vite", date_expires=end.strftime("%Y-%m-%dT%H:%M:%SZ"))
    stage.settle()
    stage.later(32)
    assert stage.code("vite")["status"] == "expired"
    before = stage.calls()
    stage.later(20)
    assert stage.calls() == before


def test_many_codes_cost_few_calls(stage: WooStage) -> None:
    read_at = clock.now()
    made = [stage.twin.store.coupons.create({"code": f"lot-{number}"}) for number in range(60)]
    held = [CodeState(str(one.id), one.modified_at, one.code, CodeKind.FIXED_AMOUNT, CodeStatus.ACTIVE, codes=1) for one in made]
    with stage.services.db.transaction(shop=stage.shop_id) as session:
        codes.save_codes(session, stage.shop_id, held, read_at)
    before = stage.calls()
    stage.later(15)
    assert stage.calls() - before == 3
    (seen,) = stage.rows("select count(*) n from discount_codes where shop_id = :shop and read_at > :then", then=read_at)
    assert seen["n"] == 60


def test_a_code_that_we_suspend_and_resume_is_kept_as_it_is(stage: WooStage) -> None:
    ours = stage.services.platforms["woocommerce"].codes
    assert ours is not None
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=2)
    made = ours.issue_code(stage.access(), replace(TEN_PERCENT, ends_at=until))
    stage.settle()
    ours.suspend_code(stage.access(), made.platform_id)
    stage.settle()
    assert (stage.code(made.code)["status"], stage.code(made.code)["ends_at"]) == ("expired", until)
    ours.resume_code(stage.access(), made.platform_id)
    stage.settle()
    assert (stage.code(made.code)["status"], stage.code(made.code)["ends_at"]) == ("active", until)
