"""What happens to orders of the pretend shop after they were paid: money goes back, and banks take it back; each sends its webhooks."""

from dataclasses import dataclass
from decimal import Decimal

from connector.errors import NotFound, Refused
from integrations.sandbox.shopify_bodies import order_body
from integrations.sandbox.shopify_hooks import Hooks
from integrations.sandbox.shopify_merchant_bodies import dispute_body
from integrations.sandbox.shopify_shop import Dispute, Order, Refund, Shop


@dataclass(eq=False)
class AfterSales:
    """Refunds and disputes. All take the shop's lock and may be called from any thread; unknown things raise NotFound."""

    shop: Shop
    hooks: Hooks

    def refund(self, order_id: int, amount: Decimal | None = None) -> None:
        """
        The merchant gives money back, all that is left unless said otherwise. Sends orders/updated.

        Raises Refused for an order that is not paid, and for more than was paid.
        """
        with self.shop.lock:
            order = self.shop.find_order(order_id)
            left = order.total - order.refunded
            given = left if amount is None else amount
            if order.paid_at is None or not 0 <= given <= left:
                raise Refused("this cannot be given back")
            order.updated_at = self.shop.now()
            order.refunds.append(Refund(next(self.shop.numbers), order.updated_at, given))
            order.financial_status = "refunded" if order.refunded == order.total else "partially_refunded"
            body = order_body(self.shop, order)
        self.hooks.send([("orders/updated", body)])

    def dispute_order(self, order_id: int, kind: str = "chargeback") -> int:
        """A shopper's bank takes the money of an order back, or asks (`inquiry`); returns the dispute's number. Sends disputes/create."""
        with self.shop.lock:
            order = self.shop.find_order(order_id)
            dispute = Dispute(next(self.shop.numbers), kind, kind, "needs_response", self.shop.now())
            order.disputes.append(dispute)
            body = dispute_body(self.shop, order, dispute)
        self.hooks.send([("disputes/create", body)])
        return dispute.id

    def charge_back(self, order_id: int) -> None:
        """The inquiry about an order becomes a chargeback. Sends disputes/update."""
        self._settle(order_id, "needs_response", kind="chargeback")

    def win_dispute(self, order_id: int) -> None:
        """The bank gives the money of the last dispute back to the merchant. Sends disputes/update."""
        self._settle(order_id, "won")

    def lose_dispute(self, order_id: int) -> None:
        """The bank keeps it. Sends disputes/update."""
        self._settle(order_id, "lost")

    def _settle(self, order_id: int, status: str, kind: str = "") -> None:
        with self.shop.lock:
            order = self.shop.find_order(order_id)
            dispute = _last(order)
            dispute.status, dispute.kind = status, kind or dispute.kind
            dispute.finalized_at = self.shop.now() if status in ("won", "lost") else None
            body = dispute_body(self.shop, order, dispute)
        self.hooks.send([("disputes/update", body)])


def _last(order: Order) -> Dispute:
    if not order.disputes:
        raise NotFound("nobody disputes this order")
    return order.disputes[-1]
