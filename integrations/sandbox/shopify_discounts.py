"""Discounts as the pretend Shopify's GraphQL reads and changes them."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from integrations.sandbox.shopify_call import GraphCall, Resolver, needs, user_errors
from integrations.sandbox.shopify_discount_book import (
    APP,
    AUTOMATIC,
    BASIC,
    BXGY,
    FREE_SHIPPING,
    CodeImport,
    Discount,
    RedeemCode,
    Removal,
)
from integrations.sandbox.shopify_discount_checks import Wrong
from integrations.sandbox.shopify_objects import amount, gid, moment, number_of, paged, product_object
from integrations.sandbox.shopify_purchases import customer_object
from integrations.sandbox.shopify_search import Json, Listing, count
from integrations.sandbox.shopify_shop import DOMAIN, Shop

MOST_CODES = 250
_PLACES: Listing[Any] = Listing({}, {}, lambda row: row[0])
_TYPES = {FREE_SHIPPING: "free_shipping", BXGY: "bogo", APP: "app"}


def _kind_word(one: Discount) -> str:
    is_percentage = "percentage" in ((one.wanted.get("customerGets") or {}).get("value") or {})
    return _TYPES.get(one.kind, "percentage" if is_percentage else "fixed_amount")


def _listing(shop: Shop) -> Listing[Discount]:
    return Listing(
        {
            "id": lambda one: one.id,
            "code": lambda one: [code.code for code in one.codes],
            "title": lambda one: one.title,
            "method": lambda one: "automatic" if one.kind == AUTOMATIC else "code",
            "status": shop.discounts.status,
            "discount_type": _kind_word,
            "type": _kind_word,
            "times_used": lambda one: shop.discounts.counted(one.codes),
            "created_at": lambda one: one.created_at,
            "updated_at": lambda one: one.updated_at,
            "starts_at": lambda one: one.starts_at,
            "ends_at": lambda one: one.ends_at,
        },
        {
            "CREATED_AT": lambda one: one.created_at,
            "UPDATED_AT": lambda one: one.updated_at,
            "STARTS_AT": lambda one: one.starts_at,
            "ENDS_AT": lambda one: moment(one.ends_at) or "9999",
            "TITLE": lambda one: one.title,
        },
        lambda one: one.id,
        lambda one: " ".join([one.title, *(code.code for code in one.codes)]),
    )


def code_node(shop: Shop, key: str) -> Json | None:
    """A discount with codes by its global id."""
    found = shop.discounts.get(number_of(key, "DiscountCodeNode"))
    return _code_node(shop, found) if found and found.kind != AUTOMATIC else None


def discount_node(shop: Shop, key: str) -> Json | None:
    """Any discount by its global id; that of a code node leads here too."""
    found = shop.discounts.get(number_of(key, "DiscountNode", "DiscountCodeNode", "DiscountAutomaticNode"))
    return _discount_node(shop, found) if found else None


def import_object(shop: Shop, key: str) -> Json | None:
    """Codes being added, by the global id; to ask for it brings it forward."""
    found = shop.discounts.look_at(number_of(key, "DiscountRedeemCodeBulkCreation"))
    return _import(shop, found) if found else None


def _code_node(shop: Shop, one: Discount) -> Json:
    return {"__typename": "DiscountCodeNode", "id": one.gid, "codeDiscount": discount_object(shop, one)}


def _discount_node(shop: Shop, one: Discount) -> Json:
    return {"__typename": "DiscountNode", "id": gid("DiscountNode", one.id), "discount": discount_object(shop, one)}


def discount_object(shop: Shop, one: Discount) -> Json:
    """A discount with all that its kinds have."""
    wanted = one.wanted
    combines = wanted.get("combinesWith") or {}
    kinds = ("orderDiscounts", "productDiscounts", "shippingDiscounts")
    url = {"title": "Home page", "targetType": "HOME", "targetItemImage": None}
    return {
        "__typename": one.kind,
        "title": one.title,
        "status": shop.discounts.status(one),
        "startsAt": moment(one.starts_at),
        "endsAt": moment(one.ends_at),
        "createdAt": moment(one.created_at),
        "updatedAt": moment(one.updated_at),
        "usageLimit": one.usage_limit,
        "appliesOncePerCustomer": bool(wanted.get("appliesOncePerCustomer")),
        "asyncUsageCount": shop.discounts.counted(one.codes),
        "summary": one.title,
        "shortSummary": one.title,
        "tags": list(wanted.get("tags") or ()),
        "recurringCycleLimit": wanted.get("recurringCycleLimit"),
        "usesPerOrderLimit": None,
        "discountId": one.gid,
        "discountClasses": ["SHIPPING"] if one.kind == FREE_SHIPPING else ["ORDER"],
        "codesCount": {"count": len(one.codes), "precision": "EXACT"},
        "codes": lambda info, **asked: _codes(info, one, asked),
        "combinesWith": {kind: bool(combines.get(kind)) for kind in kinds},
        "context": _context(shop, wanted.get("context") or {}),
        "customerGets": _gets(shop, wanted.get("customerGets") or {}),
        "minimumRequirement": _minimum(shop, wanted.get("minimumRequirement") or {}),
        "maximumShippingPrice": amount(shop, Decimal(wanted["maximumShippingPrice"])) if wanted.get("maximumShippingPrice") else None,
        "destinationSelection": _destination(wanted.get("destination") or {}),
        "appliesOnOneTimePurchase": wanted.get("appliesOnOneTimePurchase", True),
        "appliesOnSubscription": wanted.get("appliesOnSubscription", False),
        "shareableUrls": [url | {"url": f"https://{DOMAIN}/discount/{code.code}"} for code in one.codes[:1]],
    }


def _codes(info: Any, one: Discount, asked: Mapping[str, Any]) -> Json:
    book = info.context.shop.discounts
    listing: Listing[RedeemCode] = Listing(
        {"id": lambda code: code.id, "times_used": lambda code: book.counted([code])},
        {"CODE": lambda code: code.code},
        lambda code: code.id,
        lambda code: code.code,
    )
    # A list follows what is there; only a search goes by the index.
    known = book.searchable(one.codes) if asked.get("query") else one.codes
    found = info.context.search.select(listing, known, asked.get("query"))
    return paged(
        info,
        found,
        listing,
        asked,
        lambda code: {"id": gid("DiscountRedeemCode", code.id), "code": code.code, "asyncUsageCount": book.counted([code])},
    )


def _context(shop: Shop, context: Mapping[str, Any]) -> Json:
    """Who may use it."""

    def added(kind: str) -> list[tuple[int, str]]:
        return list(enumerate(context[kind].get("add") or ()))

    if context.get("customers") is not None:
        known = [shop.customers.get(number_of(one, "Customer")) for _, one in added("customers")]
        return {"__typename": "DiscountCustomers", "customers": lambda info: [customer_object(shop, one) for one in known if one]}
    if context.get("customerSegments") is not None:
        segments = [{"id": one, "name": f"Segment {place}"} for place, one in added("customerSegments")]
        return {"__typename": "DiscountCustomerSegments", "segments": segments}
    if context.get("markets") is not None:
        return {
            "__typename": "DiscountMarkets",
            "markets": lambda info, **asked: paged(info, added("markets"), _PLACES, asked, _named("Market")),
            "marketsCount": len(added("markets")),
        }
    return {"__typename": "DiscountBuyerSelectionAll", "all": "ALL"}


def _gets(shop: Shop, gets: Mapping[str, Any]) -> Json:
    return {
        "appliesOnOneTimePurchase": gets.get("appliesOnOneTimePurchase") is not False,
        "appliesOnSubscription": bool(gets.get("appliesOnSubscription")),
        "items": _items(shop, gets.get("items") or {}),
        "value": _value(shop, gets.get("value") or {}),
    }


def _items(shop: Shop, items: Mapping[str, Any]) -> Json:
    """What it is good for."""
    if items.get("products") is not None:
        known = [shop.products.get(number_of(one, "Product")) for one in items["products"].get("productsToAdd") or ()]
        products = [(place, one) for place, one in enumerate(known) if one is not None]
        return {
            "__typename": "DiscountProducts",
            "products": lambda info, **asked: paged(info, products, _PLACES, asked, lambda row: product_object(shop, row[1])),
        }
    if items.get("collections") is not None:
        collections = list(enumerate(items["collections"].get("add") or ()))
        return {
            "__typename": "DiscountCollections",
            "collections": lambda info, **asked: paged(info, collections, _PLACES, asked, _named("Collection")),
        }
    return {"__typename": "AllDiscountItems", "allItems": True}


def _named(kind: str) -> Callable[[tuple[int, str]], Json]:
    """Something of which the pretend shop knows no more than the id."""
    return lambda row: {"id": row[1], "name": f"{kind} {row[0]}", "title": f"{kind} {row[0]}", "handle": f"{kind.lower()}-{row[0]}"}


def _value(shop: Shop, value: Mapping[str, Any]) -> Json:
    if value.get("discountOnQuantity"):
        inner = value["discountOnQuantity"]
        effect = {"__typename": "DiscountPercentage", "percentage": (inner.get("effect") or {}).get("percentage") or 1.0}
        return {"__typename": "DiscountOnQuantity", "quantity": {"quantity": str(inner.get("quantity") or 1)}, "effect": effect}
    if value.get("discountAmount"):
        inner = value["discountAmount"]
        is_each = inner.get("appliesOnEachItem") is not False
        return {"__typename": "DiscountAmount", "amount": amount(shop, Decimal(inner["amount"])), "appliesOnEachItem": is_each}
    return {"__typename": "DiscountPercentage", "percentage": float(value.get("percentage") or 0)}


def _minimum(shop: Shop, minimum: Mapping[str, Any]) -> Json | None:
    subtotal = (minimum.get("subtotal") or {}).get("greaterThanOrEqualToSubtotal")
    if subtotal is not None:
        return {"__typename": "DiscountMinimumSubtotal", "greaterThanOrEqualToSubtotal": amount(shop, Decimal(subtotal))}
    quantity = (minimum.get("quantity") or {}).get("greaterThanOrEqualToQuantity")
    return {"__typename": "DiscountMinimumQuantity", "greaterThanOrEqualToQuantity": str(quantity)} if quantity is not None else None


def _destination(destination: Mapping[str, Any]) -> Json:
    if destination.get("countries"):
        return {"__typename": "DiscountCountries", "countries": destination["countries"].get("add") or [], "includeRestOfWorld": False}
    return {"__typename": "DiscountCountryAll", "allCountries": True}


def _import(shop: Shop, one: CodeImport) -> Json:
    rows = [(place, code, done) for place, (code, done) in enumerate(zip(one.codes, one.done, strict=False))]
    return {
        "__typename": "DiscountRedeemCodeBulkCreation",
        "id": gid("DiscountRedeemCodeBulkCreation", one.id),
        "createdAt": moment(one.created_at),
        "discountCode": lambda info: code_node(shop, gid("DiscountCodeNode", one.discount_id)),
        "done": len(one.done) == len(one.codes),
        "codesCount": len(one.codes),
        "importedCount": sum(1 for code, _ in one.done if code is not None),
        "failedCount": sum(1 for code, _ in one.done if code is None),
        "codes": lambda info, **asked: paged(info, rows, _PLACES, asked, _imported),
    }


def _imported(row: tuple[int, str, tuple[RedeemCode | None, Wrong | None]]) -> Json:
    _, code, (made, wrong) = row
    redeem = {"id": gid("DiscountRedeemCode", made.id), "code": made.code, "asyncUsageCount": 0} if made else None
    return {"code": code, "discountRedeemCode": redeem, "errors": _errors([wrong] if wrong else [], "")}


def _list(source: Any, info: Any, **asked: Any) -> Json:
    call: GraphCall = info.context
    listing = _listing(call.shop)
    found = call.search.select(listing, list(call.shop.discounts), asked.get("query"))
    return paged(info, found, listing, asked, lambda one: _discount_node(call.shop, one))


def _count(source: Any, info: Any, limit: int | None = None, query: str | None = None, **_: Any) -> Json:
    shop = info.context.shop
    return count(len(info.context.search.select(_listing(shop), list(shop.discounts), query)), limit)


def _by_code(source: Any, info: Any, code: str) -> Json | None:
    found = info.context.shop.discounts.find(code)
    return _code_node(info.context.shop, found) if found else None


def _create(kind: str, argument: str) -> Resolver:
    def resolve(source: Any, info: Any, **asked: Any) -> Json:
        made, wrong = info.context.shop.discounts.create(kind, asked[argument])
        return _payload(info.context.shop, made, wrong, argument)

    return resolve


def _update(kind: str, argument: str) -> Resolver:
    def resolve(source: Any, info: Any, **asked: Any) -> Json:
        number = number_of(asked["id"], "DiscountCodeNode")
        made, wrong = info.context.shop.discounts.update(number, kind, asked[argument])
        return _payload(info.context.shop, made, wrong, argument)

    return resolve


def _switch(name: str) -> Resolver:
    def resolve(source: Any, info: Any, id: str) -> Json:
        change: Callable[[int], tuple[Discount | None, list[Wrong]]] = getattr(info.context.shop.discounts, name)
        made, wrong = change(number_of(id, "DiscountCodeNode"))
        return _payload(info.context.shop, made, wrong, "")

    return resolve


def _delete(source: Any, info: Any, id: str) -> Json:
    wrong = info.context.shop.discounts.delete(number_of(id, "DiscountCodeNode"))
    return {"deletedCodeDiscountId": None if wrong else id, "userErrors": _errors(wrong, "")}


def _add_codes(source: Any, info: Any, discountId: str, codes: list[Json]) -> Json:  # noqa: N803 - Shopify's argument
    book = info.context.shop.discounts
    started, wrong = book.begin_import(number_of(discountId, "DiscountCodeNode"), [one["code"] for one in codes])
    return {"bulkCreation": _import(info.context.shop, started) if started else None, "userErrors": _errors(wrong, "")}


def _remove_codes(source: Any, info: Any, discountId: str, ids: list[str] | None = None, **_: Any) -> Json:  # noqa: N803
    numbers = [number_of(one, "DiscountRedeemCode") for one in ids or ()]
    started, wrong = info.context.shop.discounts.begin_removal(number_of(discountId, "DiscountCodeNode"), numbers)
    return {"job": _job(started) if started else None, "userErrors": _errors(wrong, "")}


def _job(one: Removal) -> Json:
    return {"__typename": "Job", "id": gid("Job", one.id), "done": one.looks_left == 0}


def _job_now(source: Any, info: Any, id: str) -> Json | None:
    """How far a job is; one that nobody knows is none."""
    found = info.context.shop.discounts.look_at_removal(number_of(id, "Job"))
    return _job(found) if found else None


def _payload(shop: Shop, made: Discount | None, wrong: Sequence[Wrong], argument: str) -> Json:
    return {"codeDiscountNode": _code_node(shop, made) if made else None, "userErrors": _errors(wrong, argument)}


def _errors(wrong: Sequence[Wrong], argument: str) -> list[Json]:
    """User errors; paths begin with the argument's name unless they name another argument."""

    def path(one: Wrong) -> tuple[str, ...] | None:
        if one.path is None or not argument or one.path[0] in {"id", "discountId", "codes"}:
            return one.path
        return (argument, *one.path)

    return user_errors([(one.message, one.code, path(one)) for one in wrong])


_READERS: Mapping[str, Resolver] = {
    "codeDiscountNodeByCode": _by_code,
    "discountNode": lambda source, info, id: discount_node(info.context.shop, id),
    "discountNodes": _list,
    "discountNodesCount": _count,
    "discountRedeemCodeBulkCreation": lambda source, info, id: import_object(info.context.shop, id),
}
_WRITERS: Mapping[str, Resolver] = {
    "discountCodeBasicCreate": _create(BASIC, "basicCodeDiscount"),
    "discountCodeBasicUpdate": _update(BASIC, "basicCodeDiscount"),
    "discountCodeFreeShippingCreate": _create(FREE_SHIPPING, "freeShippingCodeDiscount"),
    "discountCodeFreeShippingUpdate": _update(FREE_SHIPPING, "freeShippingCodeDiscount"),
    "discountCodeActivate": _switch("activate"),
    "discountCodeDeactivate": _switch("deactivate"),
    "discountCodeDelete": _delete,
    "discountRedeemCodeBulkAdd": _add_codes,
    "discountCodeRedeemCodeBulkDelete": _remove_codes,
}
DISCOUNT_ROOTS = {name: needs("read_discounts", reader) for name, reader in _READERS.items()} | {"job": _job_now}
DISCOUNT_MUTATIONS = {name: needs("write_discounts", writer) for name, writer in _WRITERS.items()}
