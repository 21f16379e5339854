"""Where a shopper takes up an unfinished purchase again."""

import re
from urllib.parse import quote

from connector.canonical import Resource
from integrations.woocommerce.payloads import Line, OrderBody
from integrations.woocommerce.plaintext import text
from integrations.woocommerce.values import optional_id, pieces, web_address

# Not there in 9.9.5, there in 10.0.2.
_FIRST_WITH_CHECKOUT_LINKS = 10
_MAJOR = re.compile(r"([0-9]{1,3})\.")


def recovery_url(body: OrderBody, *, is_draft: bool) -> str | None:
    """
    The pay page for an order that waits for payment, a link that fills the cart again for a draft; None if neither is known.

    `/checkout-link/` replaces what is in the visitor's cart, carries variations by id only, and takes one coupon. Stores
    older than WooCommerce 10 do not have it: there the draft's own pay page serves.
    """
    pay_page = web_address(body.payment_url)
    if not is_draft or _is_older(body):
        return pay_page
    store, products = store_address(body), ",".join(filter(None, map(_product, body.line_items or ())))
    if store is None or not products:
        return None
    coupon = next((code for line in body.coupon_lines or () if (code := text(line.code))), None)
    return f"{store}/checkout-link/?products={products}" + (f"&coupon={quote(coupon, safe='')}" if coupon else "")


def is_checkout_link(address: str | None) -> bool:
    """Whether this address fills a cart again, as only that of a draft does."""
    return address is not None and "/checkout-link/?" in address


def store_address(body: OrderBody) -> str | None:
    """The store's address without a slash at the end, read from the record's own link; None if a plugin removed that."""
    for link in (body.links.own if body.links else None) or ():
        address = web_address(link.href)
        if address and "/wp-json/" in address:
            return address.partition("/wp-json/")[0]
    return None


def _is_older(body: OrderBody) -> bool:
    found = _MAJOR.match(text(body.version) or "")
    return found is not None and int(found[1]) < _FIRST_WITH_CHECKOUT_LINKS


def _product(line: Line) -> str | None:
    quantity = pieces(line.quantity)
    bought = optional_id(line.variation_id) or optional_id(line.product_id)
    return f"{bought}:{int(quantity)}" if bought and quantity >= 1 else None


def admin_page(domain: str, what: Resource, platform_id: str) -> str:
    """
    Where a merchant sees a record in WordPress's admin; its first page for what has none of its own.

    Orders have one address under both storages: the newer one leads on from it (PostsRedirectionController of WooCommerce).
    """
    admin = f"https://{domain}/wp-admin/"
    if not (platform_id.isascii() and platform_id.isdigit()):
        return admin
    if what is Resource.CUSTOMER:
        return f"{admin}user-edit.php?user_id={platform_id}"
    return admin if what is Resource.SHOP else f"{admin}post.php?post={platform_id}&action=edit"
