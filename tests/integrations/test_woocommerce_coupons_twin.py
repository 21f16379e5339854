"""Our codes on the whole pretend store, over https and with what goes wrong between two machines."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

import pytest

from connector import clock
from connector.canonical import Resource
from connector.codes import CodeKind, CodeStatus, DiscountCode
from connector.config import Settings
from connector.platforms import Access, AccessLost, Gone, NotPermitted, TransientError
from integrations.sandbox.faults import PASSING, Kind
from integrations.sandbox.woocommerce_twin import WooCommerceTwin
from integrations.transport import Transport
from integrations.woocommerce.adapter import WooCommercePlatform
from integrations.woocommerce.coupons import WooCodes
from integrations.woocommerce.reads import WooReads
from tests.integrations.coupon_ground import TEN_PERCENT, numbered
from tests.integrations.sandbox_app import Clock, install_woocommerce, played

TRIES = 80
T = TypeVar("T")


@dataclass
class Ground:
    """The pretend store and our codes on it."""

    twin: WooCommerceTwin
    codes: WooCodes
    reads: WooReads
    access: Access
    clock: Clock

    def many(self) -> list[str]:
        """The codes of the store, those in the bin left out."""
        return sorted(coupon.code for coupon in self.twin.store.coupons if coupon.status != "trash")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """A connected store; its clock stands at this second."""
    at = Clock()
    at.at = clock.now().replace(microsecond=0)
    with played(tmp_path_factory.mktemp("coupons"), at) as app:
        install_woocommerce(app)
        settings = Settings.model_validate({"sandbox": True, "address_map": app.world.address_map, "extra_ca": app.world.ca_pem})
        transport = Transport(settings.address_map, settings.extra_ca, is_closed_world=True)
        platform = WooCommercePlatform(transport, settings)
        codes, reads = platform.codes, platform.reads
        assert isinstance(codes, WooCodes)
        assert isinstance(reads, WooReads)
        keys = {name: str(app.keys[name]) for name in ("consumer_key", "consumer_secret")}
        yield Ground(app.world.woocommerce, codes, reads, Access(1, "boutique.test", keys), at)
        transport.close()


@pytest.fixture
def ground(running: Ground) -> Iterator[Ground]:
    """No coupons, no faults."""
    yield running
    running.twin.faults.stop()
    for coupon in running.twin.store.coupons:
        running.twin.store.coupons.delete(coupon.id)


def persistent(do: Callable[[], T]) -> T:
    """What a worker does: try again while that may help."""
    for _ in range(TRIES - 1):
        try:
            return do()
        except TransientError:
            continue
    return do()


def test_from_its_making_to_its_end(ground: Ground) -> None:
    state = ground.codes.issue_code(ground.access, TEN_PERCENT)
    assert ground.codes.read_code(ground.access, TEN_PERCENT.code) == state
    ground.codes.suspend_code(ground.access, state.platform_id)
    suspended = ground.codes.codes_now(ground.access, [state.platform_id])[state.platform_id]
    assert suspended.status is CodeStatus.EXPIRED
    ground.codes.resume_code(ground.access, state.platform_id)
    ground.codes.delete_code(ground.access, state.platform_id)
    assert ground.codes.read_code(ground.access, TEN_PERCENT.code) is None
    with pytest.raises(Gone):
        ground.codes.resume_code(ground.access, state.platform_id)


def test_by_codes_now_what_is_gone_or_binned_is_missing(ground: Ground) -> None:
    made = [ground.twin.coupons.make(code).id for code in numbered("c", 120)]
    ground.twin.coupons.trash(made[5])
    ground.twin.coupons.delete(made[6])
    found = ground.codes.codes_now(ground.access, [*map(str, made), "x", "99999999"])
    assert set(found) == {str(number) for number in made} - {str(made[5]), str(made[6])}


@pytest.mark.parametrize("kind", [Kind.LOSE, Kind.DROP, Kind.SHORT, Kind.TRUNCATE, Kind.EMPTY, Kind.HTML, Kind.ERROR, Kind.SHAPE])
@pytest.mark.parametrize("after", range(3))
def test_whatever_happens_to_a_call_the_code_is_made_once(ground: Ground, kind: Kind, after: int) -> None:
    ground.twin.faults.spoil_next(kind, after=after)
    state = persistent(lambda: ground.codes.issue_code(ground.access, TEN_PERCENT))
    assert state.code == "merci-7q2k"
    assert ground.many() == ["merci-7q2k"]


@pytest.mark.parametrize("seed", range(6))
def test_in_bad_weather_everything_ends_as_it_should(ground: Ground, seed: int) -> None:
    ground.twin.faults.at_random(0.3, PASSING, seed=seed, pace=0.0)
    model = persistent(lambda: ground.codes.issue_code(ground.access, DiscountCode("modele", CodeKind.PERCENTAGE, Decimal(5))))
    wanted = list(numbered("lot", 30))
    told = persistent(lambda: ground.codes.issue_codes(ground.access, model.platform_id, wanted))
    for _ in range(2):
        persistent(lambda: ground.codes.suspend_code(ground.access, model.platform_id))
    persistent(lambda: ground.codes.resume_code(ground.access, model.platform_id))
    ground.twin.faults.stop()
    assert (sorted(told.issued), dict(told.refused)) == (wanted, {})
    assert ground.many() == sorted([*wanted, "modele"])
    again = ground.codes.read_code(ground.access, "modele")
    assert again is not None
    assert (again.status, again.ends_at, again.platform_id) == (CodeStatus.ACTIVE, None, model.platform_id)


def test_a_key_that_may_only_read_makes_nothing(ground: Ground) -> None:
    with ground.twin.store.lock:
        number = next(ground.twin.store.numbers)
        key = type(next(iter(ground.twin.store.keys.values())))(number, f"ck_{number}", f"cs_{number}", "read")
        ground.twin.store.keys[number] = key
    access = Access(1, "boutique.test", {"consumer_key": key.key, "consumer_secret": key.secret})
    with pytest.raises((NotPermitted, AccessLost)):
        ground.codes.issue_code(access, TEN_PERCENT)
    assert ground.many() == []


def test_use_at_the_checkout_is_seen_by_reading_alone(ground: Ground) -> None:
    made = ground.codes.issue_code(ground.access, TEN_PERCENT)
    ground.twin.store.coupons.note_status(1, "processing", ["merci-7q2k"], "lea@example.org")
    (seen,) = ground.codes.codes_now(ground.access, [made.platform_id]).values()
    assert (seen.used, seen.source_version) == (1, made.source_version)
    assert "lea@example.org" not in json.dumps(str(seen))


def test_a_suspended_code_is_among_the_changes_and_the_numbers_of_the_store(ground: Ground) -> None:
    made = ground.codes.issue_code(ground.access, TEN_PERCENT)
    ground.twin.coupons.trash(ground.twin.coupons.make("binned").id)
    ground.codes.suspend_code(ground.access, made.platform_id)
    page = ground.reads.changes(ground.access, Resource.DISCOUNT_CODE, None)
    assert [(one.platform_id, getattr(one, "status", None)) for one in page.records] == [(made.platform_id, CodeStatus.EXPIRED)]
    assert ground.reads.ids(ground.access, Resource.DISCOUNT_CODE)[0] == [made.platform_id]
    assert ground.reads.record_now(ground.access, Resource.DISCOUNT_CODE, made.platform_id) == page.records[0]
