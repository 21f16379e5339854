"""What a product costs and whether it can be bought now, with its variations, which are a list of their own in each product."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

import msgspec

from connector import decoding
from connector.canonical import Product, Variant
from connector.platforms import Gone, PayloadError
from integrations.woocommerce import client
from integrations.woocommerce.calling import Call
from integrations.woocommerce.client import MAX_PAGES
from integrations.woocommerce.pace import pace_of, side_by_side
from integrations.woocommerce.payloads import Image, Number, Text
from integrations.woocommerce.plaintext import plain, text
from integrations.woocommerce.values import money, optional_id, web_address

FIELDS = "id,type,status,name,sku,price,purchasable,stock_status,variations,parent_id,attributes,image"


class Attribute(msgspec.Struct, frozen=True):
    """What a variation is: one value of one attribute."""

    option: Text = None


class OnSale(msgspec.Struct, frozen=True):
    """
    A product or variation as it can be bought. `price`: what is asked now, sales included, with tax where the store's prices have it.

    `stock_status`: instock, onbackorder (can be bought) or outofstock. `purchasable` says nothing of the stock, and is true of drafts
    for whoever may edit them. `variations` may be numbers only.
    """

    id: Number = None
    type: Text = None
    status: Text = None
    name: Text = None
    sku: Text = None
    price: Number = None
    purchasable: bool | None = None
    stock_status: Text = None
    variations: list[Number] | None = None
    parent_id: Number = None
    attributes: list[Attribute] | None = None
    image: Image | None = None


def read_on_sale(raw: bytes | msgspec.Raw) -> OnSale | None:
    """One product or variation; None if a plugin made something of it that is none."""
    try:
        return decoding.decode(raw, OnSale)
    except msgspec.DecodeError:
        return None


def is_buyable(one: OnSale) -> bool:
    """Whether shoppers can buy it now. What a plugin took away from the record counts as usual."""
    return (text(one.status) or "publish") == "publish" and one.purchasable is not False and text(one.stock_status) != "outofstock"


def price_of(one: OnSale) -> Decimal | None:
    """What it costs; None if it has no price, or several: that of a product with variations is its lowest."""
    try:
        return None if text(one.type) == "variable" else money(one.price)
    except PayloadError:
        return None


def with_variants(call: Call, products: Sequence[tuple[Product, bytes | msgspec.Raw]]) -> list[Product]:
    """The products, each with its variations as variants; one more call for each that has any, several at once."""
    parents = {product.platform_id: one for product, raw in products if (one := read_on_sale(raw)) and one.variations}
    lists = side_by_side(pace_of(call.transport, call.access.domain), parents, lambda number: read_variations(call, number))
    found = dict(zip(parents, lists, strict=True))
    return [
        replace(product, variants=_variants(parents[product.platform_id], found[product.platform_id]))
        if product.platform_id in parents
        else product
        for product, _ in products
    ]


def read_variations(call: Call, product_id: str, only: Sequence[str] = ()) -> list[OnSale]:
    """A product's variations, or those of some numbers; none of a product that is gone. Raises PlatformError."""
    found: dict[str, OnSale] = {}
    size = pace_of(call.transport, call.access.domain).records
    params = {"_fields": FIELDS, "orderby": "id", "order": "asc", "per_page": str(size)} | ({"include": ",".join(only)} if only else {})
    for page in range(1, MAX_PAGES):
        try:
            listed = client.list_records(call, "variations", f"wc/v3/products/{product_id}/variations", {**params, "page": str(page)})
        except Gone:
            return []
        before = len(found)
        found |= {number: one for number, raw in zip(listed.ids, listed.records, strict=True) if (one := read_on_sale(raw))}
        if len(found) == before or (page >= listed.pages if listed.pages is not None else len(listed.ids) < size):
            break
    return list(found.values())


def variation_title(one: OnSale) -> str | None:
    """What distinguishes a variation ("L, Bleu"); where any value will do, its attribute is left out."""
    return ", ".join(words for attribute in one.attributes or () if (words := plain(attribute.option))) or plain(one.name)


def _variants(parent: OnSale, variations: Sequence[OnSale]) -> tuple[Variant, ...]:
    is_published = (text(parent.status) or "publish") == "publish"
    return tuple(
        Variant(
            platform_id=number,
            title=variation_title(one),
            sku=text(one.sku),
            price=price_of(one),
            image_url=web_address(one.image.src, "https") if one.image else None,
            is_available=is_published and is_buyable(one),
        )
        for one in variations
        if (number := optional_id(one.id))
    )


def lines_by_product(wanted: Sequence[tuple[str, str | None]]) -> Mapping[str, list[str]]:
    """The variations asked for of each product; those that cannot be numbers of a store are left out."""
    asked: dict[str, list[str]] = {}
    for product_id, variant_id in wanted:
        if is_number(product_id):
            of_product = asked.setdefault(product_id, [])
            if variant_id is not None and is_number(variant_id) and variant_id not in of_product:
                of_product.append(variant_id)
    return asked


def is_number(platform_id: str) -> bool:
    """Whether a store can have a record of this name."""
    return platform_id.isascii() and platform_id.isdigit() and len(platform_id) < 20
