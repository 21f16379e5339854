"""What the merchant and time do in the pretend WooCommerce store, and which webhooks each action causes."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from connector.errors import NotFound
from integrations.sandbox.woocommerce_actions import UPDATED, StoreActions
from integrations.sandbox.woocommerce_catalogue import Product, Variation
from integrations.sandbox.woocommerce_store import Contact, Order

DRAFT_LIFE = timedelta(hours=24)
HOLD_STOCK = timedelta(minutes=60)
PAID = frozenset({"processing", "completed"})
STRAY = ("product.deleted", "coupon.deleted")
"""With the old order storage, trash of any kind fires these for every kind."""


class MerchantActions(StoreActions):
    """Work in wp-admin and what the store does by itself. What REST does comes here too, with `by_rest`."""

    def set_status(self, order_id: int, status: str) -> None:
        """
        The merchant (or time) moves an order: processing, completed, cancelled, refunded, …. Sends order.updated.

        Cash on delivery is paid when it is completed. One that is set to refunded by hand gets a refund of all that was not given
        back yet. (wc_order_fully_refunded)
        """
        with self.store.lock:
            order = self.store.find_order(order_id)
            was_trash = order.status == "trash"
            order.status, order.modified_at = status, self.store.now()
            if status in PAID and (order.method, status) != ("cod", "processing"):
                order.paid_at = order.paid_at or order.modified_at
            if status == "completed":
                order.completed_at = order.modified_at
            if status == "refunded" and (rest := order.total - sum(order.refunds)) > 0:
                order.refunds.append(rest)
            self._count_coupons(order)
        if not was_trash:  # taken out of the trash over REST: nothing is sent
            self._fire(UPDATED, order_id)
            self._fire(("action.woocommerce_order_status_changed",), order_id)
        self.watch.close(order)

    def make_order(self, lines: Sequence[tuple[str, int]], contact: Contact, status: str = "processing", customer_id: int = 0) -> int:
        """An order taken by phone and typed in wp-admin. Sends order.updated and order.created."""
        with self.store.lock:
            items = [self.store.make_item(reference, quantity) for reference, quantity in lines]
            order = self.store.open_order(items, contact, customer_id)
            order.status, order.created_via = status, "admin"
            order.paid_at = order.modified_at if status in PAID else None
        self._fire(("order.updated", "order.created"), order.id)
        self.watch.close(order)
        return order.id

    def cancel_order(self, order_id: int) -> None:
        """The merchant cancels an order: its coupons count as unused again. Sends order.updated."""
        self.set_status(order_id, "cancelled")

    def reinstate_order(self, order_id: int) -> None:
        """The merchant takes up an order again that was cancelled, or waits for its money. Sends order.updated."""
        self.set_status(order_id, "processing")

    def set_coming_soon(self, is_on: bool, *, store_pages_only: bool = False) -> None:
        """The merchant hides the site, or its shop pages only, or launches it. Sends nothing."""
        with self.store.lock:
            self.store.coming_soon = ("store" if store_pages_only else "site") if is_on else ""

    def refund(self, order_id: int, amount: Decimal | None = None) -> None:
        """Money goes back, all that is left of it unless said otherwise; all of it makes the order refunded. Sends order.updated."""
        with self.store.lock:
            order = self.store.find_order(order_id)
            order.refunds.append(order.total - sum(order.refunds) if amount is None else amount)
            order.modified_at = self.store.now()
            if sum(order.refunds) >= order.total:
                order.status = "refunded"
        self._fire(UPDATED, order_id)

    def trash_order(self, order_id: int) -> None:
        """An order goes to the trash. Sends order.deleted; with the old storage product.deleted and coupon.deleted too."""
        with self.store.lock:
            order = self.store.find_order(order_id)
            order.status_before_trash, order.status, order.modified_at = order.status, "trash", self.store.now()
            self._count_coupons(order)
        self._fire(("order.deleted", *(() if self.store.hpos else STRAY)), order_id)

    def restore_order(self, order_id: int) -> None:
        """An order comes back from the trash in wp-admin. Sends order.restored."""
        with self.store.lock:
            order = self.store.find_order(order_id)
            order.status, order.modified_at = order.status_before_trash or "pending", self.store.now()
        self._fire(("order.restored",), order_id)

    def delete_order(self, order_id: int) -> Order:
        """Deleted for good: no order.deleted, only action.woocommerce_delete_order."""
        with self.store.lock:
            order = self.store.find_order(order_id)
            del self.store.orders[order_id]
        self._fire(("action.woocommerce_delete_order",), order_id)
        return order

    def clean_drafts(self) -> int:
        """WooCommerce's daily job: drafts untouched for 24 hours are deleted for good. Returns how many."""
        with self.store.lock:
            limit = self.store.now() - DRAFT_LIFE
            old = [one.id for one in self.store.orders.values() if one.status == "checkout-draft" and one.modified_at <= limit]
        for order_id in old:
            self.delete_order(order_id)
        return len(old)

    def cancel_unpaid(self) -> int:
        """The job that gives back held stock: cancels orders that wait for payment, but only the classic checkout's. How many."""
        with self.store.lock:
            limit = self.store.now() - HOLD_STOCK
            held = [one for one in self.store.orders.values() if one.status == "pending" and one.created_via == "checkout"]
            old = [one.id for one in held if one.modified_at <= limit]
        for order_id in old:
            self.set_status(order_id, "cancelled")
        return len(old)

    def edit_customer(self, customer_id: int, **contact: str) -> None:
        """Something about a customer is saved, be it the same. Sends customer.updated."""
        with self.store.lock:
            customer = self.store.customers[customer_id]
            customer.contact, customer.modified_at = replace(customer.contact, **contact), self.store.now()
        self._fire(("customer.updated",), customer_id)

    def delete_customer(self, customer_id: int) -> None:
        """An account is deleted (there is no trash for them). Sends customer.deleted."""
        with self.store.lock:
            del self.store.customers[customer_id]
        self._fire(("customer.deleted",), customer_id)

    def set_price(self, reference: str, price: str) -> None:
        """A new price for a SKU or id. Sends product.updated, with the variation's id if it is one."""
        self._edit(reference, price=Decimal(price))

    def set_stock(self, reference: str, left: int | None) -> None:
        """How many are left; None: nobody counts. Sends product.updated."""
        self._edit(reference, stock=left)

    def rename(self, reference: str, name: str) -> None:
        """A product gets another name. Sends product.updated."""
        product, _ = self.find_product(reference)
        self._keep(replace(product, name=name, modified_at=self.store.now()), product.id)

    def hide_product(self, reference: str) -> None:
        """A product becomes a draft and is not sold for the time being. Sends product.updated."""
        product, _ = self.find_product(reference)
        self._keep(replace(product, status="draft", modified_at=self.store.now()), product.id)

    def show_product(self, reference: str) -> None:
        """A draft or trashed product is sold again. Sends product.updated."""
        product, _ = self.find_product(reference)
        self._keep(replace(product, status="publish", modified_at=self.store.now()), product.id)

    def trash_product(self, reference: str, *, by_rest: bool = False) -> None:
        """A product goes to the trash. Sends product.deleted, by REST a stray coupon.deleted with its id too."""
        product, _ = self.find_product(reference)
        with self.store.lock:
            self.store.products[product.id] = replace(product, status="trash", modified_at=self.store.now())
        self._fire(("product.deleted", "coupon.deleted") if by_rest else ("product.deleted",), product.id)

    def delete_product(self, reference: str) -> None:
        """Deleted for good: no product.deleted, only action.woocommerce_delete_product."""
        product, _ = self.find_product(reference)
        with self.store.lock:
            del self.store.products[product.id]
        self._fire(("action.woocommerce_delete_product",), product.id)

    def find_product(self, reference: str) -> tuple[Product, Variation | None]:
        """A product, or one variation of it, by SKU or id, whatever its status. Raises NotFound."""
        for product in self.store.products.values():
            for variation in product.variations:
                if reference in {variation.sku, str(variation.id)}:
                    return product, variation
            if reference in {product.sku, str(product.id)}:
                return product, None
        raise NotFound(f"the pretend store has no product {reference}")

    def _edit(self, reference: str, *, price: Decimal | None = None, stock: int | None = None) -> None:
        now = self.store.now()
        with self.store.lock:
            product, variation = self.find_product(reference)
            kept = variation or product
            changed = replace(
                kept, price=kept.price if price is None else price, stock=stock if price is None else kept.stock, modified_at=now
            )
            if isinstance(changed, Product):
                self._keep(changed, changed.id)
                return
            others = tuple(changed if one.id == changed.id else one for one in product.variations)
            self._keep(replace(product, variations=others), changed.id)

    def _keep(self, product: Product, changed_id: int) -> None:
        with self.store.lock:
            self.store.products[product.id] = product
        self._fire(("product.updated",), changed_id)
