"""A shop with offers, by rows: what a merchant sets up, what is bought, what the store's codes are, and time that goes by."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import select, text
from sqlmodel import col

from connector.canonical import Order
from connector.codes import CodeKind, CodeState, CodeStatus
from connector.rules.offer_terms import Terms
from connector.store import clock, codes, grants, offer_work, offers, shops
from connector.store.audit import Actor
from connector.store.db import Session, app_now
from connector.store.offer_tables import GrantDecisionRow, GrantRow, OfferRow
from connector.store.tables import OrderRow
from connector.store.work import hold_inbox
from sync import apply
from sync import offers as tending
from sync.services import Services
from tests.factories import make_order

MERCHANT = Actor("member mem_test")
TEN_PERCENT = Terms(headline="Thank you", code="MERCI10", kind=CodeKind.PERCENTAGE, value=Decimal(10), minimum_order=None)


@dataclass
class OfferDesk:
    """One shop. `numbers`: how many orders were made up."""

    services: Services
    shop_id: int
    numbers: int = field(default=0)

    @property
    def now(self) -> datetime:
        """The database's instant."""
        with self.services.db.transaction(shop=self.shop_id) as session:
            return app_now(session)

    def later(self, **span: float) -> None:
        """Time goes by; nobody looks."""
        with self.services.db.system_transaction("time goes by") as session:
            clock.step_to(session, clock.read(session) + timedelta(**span))

    def tend(self) -> None:
        """The worker looks at everything that is due."""
        while tending.tend(self.services, self.shop_id):
            pass

    def hold_code(self, code: str = "MERCI10", **changes: Any) -> CodeState:
        """The store has this code, and we have read it."""
        now = self.now
        state = CodeState(
            f"d-{code}", now, code, CodeKind.PERCENTAGE, CodeStatus.ACTIVE, value=Decimal(10), once_per_customer=True, codes=1
        )
        state = replace(state, **changes)
        with self.services.db.transaction(shop=self.shop_id) as session:
            codes.save_codes(session, self.shop_id, [state], now)
            offer_work.note_codes(session, self.shop_id)
        return state

    def drop_code(self, code: str = "MERCI10") -> None:
        """The store has it no more, and we have seen that."""
        with self.services.db.transaction(shop=self.shop_id) as session:
            codes.mark_codes_deleted(session, self.shop_id, [code], app_now(session))
            offer_work.note_codes(session, self.shop_id)

    def publish(self, terms: Terms = TEN_PERCENT, name: str = "Thanks", **changes: Any) -> str:
        """A merchant makes an offer and publishes it; returns its public id."""
        with self.services.db.transaction(shop=self.shop_id) as session:
            shop = shops.get_shop(session, self.shop_id)
            row = offers.create_draft(session, shop, name, replace(terms, **changes), MERCHANT)
            offers.publish(session, shop, row, MERCHANT, can_send_mail=True)
        self.tend()
        return row.public_id

    def change(self, public_id: str, **changes: Any) -> None:
        """The merchant changes the offer."""
        with self.services.db.transaction(shop=self.shop_id) as session:
            shop = shops.get_shop(session, self.shop_id)
            seen = offers.get_offer(session, shop, public_id, can_send_mail=True, lock=True)
            offers.save(session, shop, seen.offer, seen.offer.name, replace(offers.terms_of(seen.version), **changes), MERCHANT)

    def act(self, public_id: str, what: str) -> None:
        """The merchant deactivates or deletes the offer, or publishes it again."""
        with self.services.db.transaction(shop=self.shop_id) as session:
            shop = shops.get_shop(session, self.shop_id)
            seen = offers.get_offer(session, shop, public_id, can_send_mail=True, lock=True)
            if what == "publish":
                offers.publish(session, shop, seen.offer, MERCHANT, can_send_mail=True)
            else:
                {"deactivate": offers.deactivate, "delete": offers.delete}[what](session, shop, seen.offer, MERCHANT)

    def buy(self, email: str | None = "anna.petit@example.org", **changes: Any) -> Order:
        """An order is placed and paid; what is bought is applied as deliveries are, and tended."""
        self.numbers += 1
        now = self.now
        order = make_order(now, platform_id=f"o-{self.numbers}", number=f"#{self.numbers}", email=email, paid_at=now, placed_at=now)
        return self.tell(replace(order, **changes))

    def tell(self, order: Order) -> Order:
        """The store tells of an order as it is now."""
        with self.services.db.transaction(shop=self.shop_id) as session:
            shop = hold_inbox(session, self.shop_id)
            assert shop is not None
            batch = apply.Batch()
            batch.tell([order])
            apply.save(session, self.services, shop, batch)
        self.tend()
        return order

    def change_order(self, order: Order, **changes: Any) -> Order:
        """The order is changed in the store a minute later."""
        self.later(minutes=1)
        return self.tell(replace(order, source_version=self.now, **changes))

    def offer(self, public_id: str) -> OfferRow:
        """The offer as it is written."""
        with self.services.db.transaction(shop=self.shop_id) as session:
            return session.scalars(select(OfferRow).where(col(OfferRow.public_id) == public_id)).one()

    def grants(self) -> list[GrantRow]:
        """All grants, oldest first."""
        with self.services.db.transaction(shop=self.shop_id) as session:
            return list(session.scalars(select(GrantRow).order_by(col(GrantRow.id))))

    def grant(self, order: Order) -> GrantRow:
        """What an order earned."""
        with self.services.db.transaction(shop=self.shop_id) as session:
            return self._of(session, order)

    def decision(self, order: Order) -> str | None:
        """Why an order earned something or not; None: nobody decided."""
        with self.services.db.transaction(shop=self.shop_id) as session:
            statement = select(col(GrantDecisionRow.reason)).join(OrderRow, col(OrderRow.id) == col(GrantDecisionRow.order_id))
            return session.scalars(statement.where(col(OrderRow.platform_id) == order.platform_id)).one_or_none()

    def hidden(self, grant: GrantRow) -> str | None:
        """Why its link shows nothing."""
        with self.services.db.system_transaction("a link is opened") as session:
            found = grants.find_by_link(session, grant.link_token, can_send_mail=True)
            assert found is not None
            return found[1].hidden

    def notices(self) -> list[tuple[str, str | None, bool]]:
        """What owners were told: cause, detail, whether it is settled."""
        with self.services.db.system_transaction("test") as session:
            rows = session.execute(text("select cause, detail, settled_at is not null settled from notices order by id"))
            return [(row.cause, row.detail, row.settled) for row in rows]

    @staticmethod
    def _of(session: Session, order: Order) -> GrantRow:
        statement = select(GrantRow).join(OrderRow, col(OrderRow.id) == col(GrantRow.order_id))
        return session.scalars(statement.where(col(OrderRow.platform_id) == order.platform_id)).one()
