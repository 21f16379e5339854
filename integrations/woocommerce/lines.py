"""Whether what lies in a cart can be bought at this moment, and for how much."""

from collections.abc import Sequence

from connector.platforms import Rejected
from connector.reading import LineNow
from integrations.woocommerce import client
from integrations.woocommerce.calling import Call
from integrations.woocommerce.pace import pace_of, side_by_side
from integrations.woocommerce.payloads import PLATFORM
from integrations.woocommerce.plaintext import plain, text
from integrations.woocommerce.values import optional_id
from integrations.woocommerce.variants import FIELDS, OnSale, is_buyable, lines_by_product, price_of, read_on_sale, read_variations

MOST_LINES = 50


def lines_now(call: Call, wanted: Sequence[tuple[str, str | None]]) -> list[LineNow]:
    """
    Lines (product id, variation id) as they are now, in the order asked; one call for all products, one more for each with variations.

    Prices are the store's own: with tax where its prices have it, sales included. Raises PlatformError.
    """
    if len(wanted) > MOST_LINES:
        raise Rejected(f"at most {MOST_LINES} lines at once", platform=PLATFORM, call="lines")
    asked = lines_by_product(wanted)
    if not asked:
        return [LineNow(*line, is_available=False) for line in wanted]
    params = {"include": ",".join(asked), "per_page": str(client.PAGE_SIZE), "status": "any", "_fields": FIELDS}
    listed = client.list_records(call, "lines", "wc/v3/products", params)
    products = {number: read_on_sale(raw) for number, raw in zip(listed.ids, listed.records, strict=True) if number}
    with_variations = [number for number, variations in asked.items() if variations and number in products]
    pace = pace_of(call.transport, call.access.domain)
    lists = side_by_side(pace, with_variations, lambda number: read_variations(call, number, asked[number]))
    variations = {
        (number, variation): one
        for number, found in zip(with_variations, lists, strict=True)
        for one in found
        if (variation := optional_id(one.id))
    }
    return [_line(line, products, variations) for line in wanted]


def _line(line: tuple[str, str | None], products: dict[str, OnSale | None], variations: dict[tuple[str, str], OnSale]) -> LineNow:
    """One line. A product that a plugin made unreadable is there: that we cannot read it is no reason to call it gone."""
    product_id, variation_id = line
    if product_id not in products:
        return LineNow(*line, is_available=False)
    product = products[product_id] or OnSale()
    if variation_id is None:
        return LineNow(*line, is_buyable(product), price_of(product), plain(product.name))
    variation = variations.get((product_id, variation_id))
    if variation is None:
        return LineNow(*line, is_available=False, title=plain(product.name))
    is_published = (text(product.status) or "publish") == "publish"
    return LineNow(*line, is_published and is_buyable(variation), price_of(variation), plain(product.name))
