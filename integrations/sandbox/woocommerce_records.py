"""Orders, customers and products over the pretend WooCommerce's REST API, with the real rules of lists, dates and deletion."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from operator import itemgetter
from typing import Any
from zoneinfo import ZoneInfo

from starlette.responses import Response

from integrations.sandbox.web import Call
from integrations.sandbox.woocommerce_answers import Json, answer, bad_parameter, error, moment, object_of, paged, shown
from integrations.sandbox.woocommerce_bodies import (
    CUSTOMER_GONE,
    ORDER_GONE,
    PRODUCT_GONE,
    customer_json,
    order_json,
    product_json,
    variation_json,
)
from integrations.sandbox.woocommerce_merchant import MerchantActions
from integrations.sandbox.woocommerce_store import Contact, Customer, Order, Product, Store

API = "/wp-json/wc/v3"
STATUSES = (
    "any",
    "trash",
    "auto-draft",
    "pending",
    "processing",
    "on-hold",
    "completed",
    "cancelled",
    "refunded",
    "failed",
    "checkout-draft",
)
ORDER_BY = ("date", "id", "include", "title", "slug", "modified")
PRODUCTS_BY: dict[str, Callable[[Json], Any]] = {"id": itemgetter("id"), "modified": itemgetter("date_modified", "id")}
CUSTOMER_BY = ("id", "include", "name", "registered_date")
ROLES = ("all", "administrator", "editor", "author", "contributor", "subscriber", "customer", "shop_manager")
Endpoint = tuple[str, Callable[[Call], Response], str]


@dataclass(frozen=True, slots=True)
class Records:
    """Reads and writes of records; writes are the merchant's actions and send what those send."""

    store: Store
    actions: MerchantActions

    def endpoints(self) -> Sequence[Endpoint]:
        """Path, handler and methods; whoever serves them looks at the keys first."""
        return (
            (f"{API}/products", self._products, "GET"),
            (f"{API}/products/{{id:int}}", self._product, "GET PUT DELETE"),
            (f"{API}/products/{{id:int}}/variations", self._variations, "GET"),
            (f"{API}/products/{{parent:int}}/variations/{{id:int}}", self._variation, "GET PUT"),
            (f"{API}/orders", self._orders, "GET"),
            (f"{API}/orders/{{id:int}}", self._order, "GET PUT DELETE"),
            (f"{API}/orders/{{id:int}}/refunds", self._refund, "POST"),
            (f"{API}/customers", self._customers, "GET POST"),
            (f"{API}/customers/{{id:int}}", self._customer, "GET PUT DELETE"),
            (f"{API}/reports/orders/totals", self._totals, "GET"),
        )

    def _products(self, call: Call) -> Response:
        wanted = {int(part) for part in call.query.get("include", "").split(",") if part.strip().isdigit()}
        status = call.query.get("status", "any")
        with self.store.lock:
            found = [one for one in self.store.products.values() if not wanted or one.id in wanted]
            found = [one for one in found if one.status == status or (status == "any" and one.status != "trash")]
            bodies = [product_json(self.store, one) for one in found]
        if (by := PRODUCTS_BY.get(call.query.get("orderby", ""))) is not None:
            bodies.sort(key=by, reverse=call.query.get("order", "desc") == "desc")
        dated = _after(call, bodies, self.store)
        return dated if isinstance(dated, Response) else paged(call, dated)

    def _product(self, call: Call) -> Response:
        product = self._find_product(int(call.parts["id"]))
        if product is None:
            return answer(PRODUCT_GONE, 404)
        if call.method == "DELETE":
            body = product_json(self.store, product)
            if _is_forced(call):
                self.actions.delete_product(str(product.id))
            else:
                self.actions.trash_product(str(product.id), by_rest=True)
            return answer(body)
        if call.method == "PUT":
            fault = self._edit(str(product.id), object_of(call))
            if fault is not None:
                return fault
            product = self.store.products[product.id]
        return answer(shown(call, product_json(self.store, product)))

    def _find_product(self, number: int) -> Product | None:
        with self.store.lock:
            return self.store.products.get(number)

    def _edit(self, reference: str, fields: Json | Response) -> Response | None:
        if isinstance(fields, Response):
            return fields
        if "regular_price" in fields:
            self.actions.set_price(reference, str(fields["regular_price"]))
        if "stock_quantity" in fields:
            self.actions.set_stock(reference, fields["stock_quantity"])
        if "name" in fields:
            self.actions.rename(reference, str(fields["name"]))
        return None

    def _variations(self, call: Call) -> Response:
        product = self._find_product(int(call.parts["id"]))
        if product is None:
            return answer(PRODUCT_GONE, 404)
        return paged(call, [variation_json(self.store, product, one) for one in product.variations])

    def _variation(self, call: Call) -> Response:
        number = int(call.parts["id"])
        if call.method == "PUT" and self._variation_body(call) is not None:
            fault = self._edit(str(number), object_of(call))
            if fault is not None:
                return fault
        body = self._variation_body(call)
        return answer(PRODUCT_GONE, 404) if body is None else answer(shown(call, body))

    def _variation_body(self, call: Call) -> Json | None:
        parent, number = self._find_product(int(call.parts["parent"])), int(call.parts["id"])
        if parent is None:
            return None
        return next((variation_json(self.store, parent, one) for one in parent.variations if one.id == number), None)

    def _orders(self, call: Call) -> Response:
        asked = call.query.get("status", "any").split(",")
        if not set(asked) <= set(STATUSES):
            words = f"status[0] is not one of {', '.join(STATUSES[:-1])}, and {STATUSES[-1]}."
            return bad_parameter("status", words, "rest_not_in_enum")
        if call.query.get("orderby", "date") not in ORDER_BY:
            return bad_parameter("orderby", f"orderby is not one of {', '.join(ORDER_BY[:-1])}, and {ORDER_BY[-1]}.", "rest_not_in_enum")
        with self.store.lock:
            found = [one for one in self.store.orders.values() if one.status in asked or ("any" in asked and one.status != "trash")]
            found = self._chosen(call, found)
            by = call.query.get("orderby", "date")
            found.sort(key=lambda one: (_sorted_by(one, by), one.id), reverse=call.query.get("order", "desc") == "desc")
            bodies = [order_json(self.store, one) for one in found]
        dated = _after(call, bodies, self.store)
        return dated if isinstance(dated, Response) else paged(call, dated, is_forgetful=self.store.hpos)

    def _chosen(self, call: Call, orders: list[Order]) -> list[Order]:
        """What `include`, `exclude`, `customer` and `search` (here: part of the e-mail) leave."""
        query = call.query
        if "include" in query:
            orders = [one for one in orders if str(one.id) in query["include"].split(",")]
        if "exclude" in query:
            orders = [one for one in orders if str(one.id) not in query["exclude"].split(",")]
        if "customer" in query:
            orders = [one for one in orders if str(one.customer_id) == query["customer"]]
        return [one for one in orders if query.get("search", "").lower() in one.contact.email.lower()]

    def _order(self, call: Call) -> Response:
        with self.store.lock:
            order = self.store.orders.get(int(call.parts["id"]))
            if order is None:
                return answer(ORDER_GONE, 404)
            body = order_json(self.store, order)
        if call.method == "DELETE":
            if _is_forced(call):
                self.actions.delete_order(order.id)
            else:
                self.actions.trash_order(order.id)
            return answer(body)
        if call.method == "PUT":
            fields = object_of(call)
            if isinstance(fields, Response):
                return fields
            if "status" in fields:
                self.actions.set_status(order.id, str(fields["status"]))
            body = order_json(self.store, order)
        return answer(shown(call, body))

    def _refund(self, call: Call) -> Response:
        fields, number = object_of(call), int(call.parts["id"])
        if isinstance(fields, Response):
            return fields
        if number not in self.store.orders:
            return answer(ORDER_GONE, 404)
        self.actions.refund(number, Decimal(str(fields.get("amount", "0"))))
        return answer({"id": next(self.store.numbers), "amount": str(fields.get("amount")), "reason": fields.get("reason", "")}, 201)

    def _totals(self, call: Call) -> Response:
        with self.store.lock:
            held = [one.status for one in self.store.orders.values()]
        return answer(
            [{"slug": one, "name": one, "total": held.count(one)} for one in STATUSES if one not in {"any", "trash", "auto-draft"}]
        )

    def _customers(self, call: Call) -> Response:
        """Registered people only, customers unless `role` says otherwise; `modified_after` is taken and means nothing."""
        if call.method == "POST":
            return self._register(call)
        by, role = call.query.get("orderby", "name"), call.query.get("role", "customer")
        for name, value, known in (("orderby", by, CUSTOMER_BY), ("role", role, ROLES)):
            if value not in known:
                return bad_parameter(name, f"{name} is not one of {', '.join(known[:-1])}, and {known[-1]}.", "rest_not_in_enum")
        with self.store.lock:
            found = [one for one in self.store.customers.values() if role in {"all", one.role}]
            found = [one for one in found if call.query.get("email", one.contact.email).lower() == one.contact.email.lower()]
            if "include" in call.query:
                found = [one for one in found if str(one.id) in call.query["include"].split(",")]
            found.sort(key=lambda one: (_customer_by(one, by), one.id), reverse=call.query.get("order", "asc") == "desc")
            return paged(call, [customer_json(self.store, one) for one in found])

    def _register(self, call: Call) -> Response:
        fields = object_of(call)
        if isinstance(fields, Response):
            return fields
        email = str(fields.get("email", ""))
        if any(one.contact.email.lower() == email.lower() for one in self.store.customers.values()):
            words = f"An account is already registered with {email}. Please log in or use a different email address."
            return error("registration-error-email-exists", words, 400)
        number = self.actions.add_customer(Contact(email, str(fields.get("first_name", "")), str(fields.get("last_name", ""))))
        return answer(customer_json(self.store, self.store.customers[number]), 201)

    def _customer(self, call: Call) -> Response:
        with self.store.lock:
            customer = self.store.customers.get(int(call.parts["id"]))
        if customer is None:
            return answer(CUSTOMER_GONE, 404)
        if call.method == "DELETE":
            if not _is_forced(call):
                return error("woocommerce_rest_trash_not_supported", "Customers do not support trashing.", 501)
            body = customer_json(self.store, customer)
            self.actions.delete_customer(customer.id)
            return answer(body)
        if call.method == "PUT":
            fields = object_of(call)
            if isinstance(fields, Response):
                return fields
            self.actions.edit_customer(customer.id, **_contact_fields(fields))
        return answer(shown(call, customer_json(self.store, customer)))


def _contact_fields(fields: Json) -> dict[str, str]:
    """What of a customer's fields the pretend store keeps."""
    billing = fields.get("billing")
    known: dict[str, Any] = {**(billing if isinstance(billing, dict) else {}), **fields}
    return {name: str(known[name]) for name in Contact.__slots__ if name in known}


def _is_forced(call: Call) -> bool:
    return call.query.get("force") in {"true", "1"}


def _sorted_by(order: Order, by: str) -> tuple[Any, ...]:
    if by == "modified":
        return (order.modified_at.replace(microsecond=0),)
    return (order.created_at.replace(microsecond=0),) if by == "date" else ()


def _customer_by(customer: Customer, by: str) -> tuple[Any, ...]:
    if by == "registered_date":
        return (customer.created_at.replace(microsecond=0),)
    return (customer.contact.email,) if by == "name" else ()


def _after(call: Call, bodies: list[Json], store: Store) -> list[Json] | Response:
    """
    What `modified_after` and `modified_before` leave: strictly, in whole seconds.

    A bound without a zone is site time, with `dates_are_gmt` UTC. One that names its zone becomes site time even together with
    the flag, which then misses what changed within the site's distance from UTC.
    """
    is_gmt = call.query.get("dates_are_gmt") in {"true", "1"}
    name = "date_modified_gmt" if is_gmt else "date_modified"
    for parameter in ("modified_after", "modified_before"):
        if parameter not in call.query:
            continue
        asked = moment(call.query[parameter])
        if asked is None:
            return bad_parameter(parameter, "Invalid date.", "rest_invalid_date")
        local = asked.astimezone(ZoneInfo(store.timezone)) if asked.tzinfo else asked
        bound = local.replace(tzinfo=None, microsecond=0)
        is_lower = parameter == "modified_after"
        times = [datetime.fromisoformat(one[name]) for one in bodies]
        bodies = [one for one, at in zip(bodies, times, strict=True) if at != bound and (at > bound) == is_lower]
    return bodies
