"""A shop with offers, and the store that its codes are made in: what the worker does, and what the store honours."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import select, text
from sqlmodel import col

from connector import clock
from connector.codes import CodeKind
from connector.rules.offer_terms import Terms
from connector.rules.offers import CodeMode
from connector.store import offer_codes, offers, shops
from connector.store.offer_tables import OfferCodeRow
from sync import offer_codes as making
from sync.services import Services
from tests.conftest import TestShop
from tests.fakes import FakePlatform
from tests.sync.code_store import CodeStore
from tests.sync.offer_desk import OfferDesk

OWN = Terms(headline="Thank you", mode=CodeMode.UNIQUE, kind=CodeKind.PERCENTAGE, value=Decimal(10), valid_days=30, prefix="MERCI")
"""A code for each, valid for thirty days."""
SHARED = Terms(headline="Thank you", code="AUTOMNE", is_ours=True, kind=CodeKind.PERCENTAGE, value=Decimal(15), once_per_customer=True)
"""One code for all, that we make; it needs an end."""


@dataclass
class CodeDesk(OfferDesk):
    """One shop and its store."""

    store: CodeStore = field(default_factory=lambda: CodeStore(clock.now))

    def work(self, turns: int = 20) -> int:
        """The worker does all that is due, and what follows from it; returns how many tasks there were."""
        count = 0
        for _ in range(turns):
            done = making.make_codes(self.services, self.shop_id)
            self.tend()
            count += done
            if not done:
                break
        return count

    def publish_own(self, terms: Terms = OWN, **changes: Any) -> str:
        """An offer with a code for each."""
        return self.publish(terms, **changes)

    def publish_shared(self, days: float = 10, terms: Terms = SHARED, **changes: Any) -> str:
        """An offer with one code that we make, and that ends after so many days; it is made."""
        public_id = self.publish(terms, ends_at=self.now.replace(microsecond=0) + timedelta(days=days), **changes)
        self.want(public_id)
        self.work()
        return public_id

    def want(self, public_id: str) -> None:
        """What the page of an offer does when it is saved."""
        with self.services.db.transaction(shop=self.shop_id) as session:
            shop = shops.get_shop(session, self.shop_id)
            seen = offers.get_offer(session, shop, public_id, can_send_mail=True, lock=True)
            offer_codes.want_shared(session, self.shop_id, seen.version)

    def codes(self, role: str | None = None) -> list[OfferCodeRow]:
        """What we know of codes that we make, oldest first."""
        with self.services.db.transaction(shop=self.shop_id) as session:
            rows = session.scalars(select(OfferCodeRow).order_by(col(OfferCodeRow.id)))
            return [row for row in rows if role in (None, row.role)]

    def rows(self, statement: str, **values: Any) -> list[Mapping[str, Any]]:
        """Any rows, past all policies; `:shop` is the shop."""
        with self.services.db.engine.connect() as connection:
            return [dict(row) for row in connection.execute(text(statement), {"shop": self.shop_id} | values).mappings()]

    def audit(self) -> list[tuple[str, str | None]]:
        """What was done about codes, and what was said of it."""
        rows = self.rows("select action, reason from audit_entries where shop_id = :shop and action like 'code.%' order by id")
        return [(row["action"], row["reason"]) for row in rows]


def code_desk(services: Services, shop: TestShop) -> CodeDesk:
    """A desk before a store that keeps codes as the shop's platform does."""
    desk = CodeDesk(services, shop.id)
    desk.store = CodeStore(lambda: desk.now, is_single=shop.platform == "woocommerce")
    platform = FakePlatform(shop_in_path=shop.platform == "woocommerce", codes=desk.store)
    platform.can = replace(platform.can, tells_code_use=shop.platform == "shopify", locks_codes_to_email=shop.platform == "woocommerce")
    desk.services = replace(services, platforms={shop.platform: platform})
    return desk
