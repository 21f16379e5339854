"""GraphQL objects of the pretend Shopify, each with all the fields it has here; times in UTC, money as decimal text."""

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from integrations.sandbox.shopify_bodies import text
from integrations.sandbox.shopify_shop import DOMAIN, SHOP_ID, Address, Customer, Line, Order, Product, Shop

Json = dict[str, Any]
MAX_PAGE = 250


def shop_object(shop: Shop) -> Json:
    """The shop with its addresses and plan."""
    address = {
        "address1": "12 Harbour Street",
        "address2": None,
        "city": "Portland",
        "zip": "04101",
        "province": "Maine",
        "country": "United States",
        "countryCodeV2": "US",
        "company": shop.name,
        "phone": None,
        "formatted": ["12 Harbour Street", "Portland ME 04101", "United States"],
    }
    return {
        "id": f"gid://shopify/Shop/{SHOP_ID}",
        "name": shop.name,
        "email": "owner@harbour-and-pine.example",
        "contactEmail": "hello@harbour-and-pine.example",
        "myshopifyDomain": DOMAIN,
        "url": f"https://{DOMAIN}",
        "primaryDomain": {"url": f"https://{DOMAIN}", "host": DOMAIN},
        "currencyCode": shop.currency,
        "enabledPresentmentCurrencies": [shop.currency],
        "ianaTimezone": shop.timezone,
        "timezoneOffset": "-0500",
        "billingAddress": address,
        "shopAddress": address,
        "taxesIncluded": False,
        "plan": {"publicDisplayName": "Basic", "partnerDevelopment": True, "shopifyPlus": False},
    }


def connection(nodes: list[Json], arguments: Mapping[str, Any] | None = None) -> Json:
    """One page; the cursor is the position after the last node."""
    asked = arguments or {}
    size = min(int(asked.get("first") or MAX_PAGE), MAX_PAGE)
    after = asked.get("after")
    start = int(base64.b64decode(after)) if after else 0
    page = nodes[start : start + size]
    cursors = [base64.b64encode(str(start + place + 1).encode()).decode() for place in range(len(page))]
    info = {"hasNextPage": start + size < len(nodes), "hasPreviousPage": start > 0}
    info |= {"startCursor": cursors[0] if cursors else None, "endCursor": cursors[-1] if cursors else None}  # type: ignore[dict-item]
    edges = [{"cursor": cursor, "node": node} for cursor, node in zip(cursors, page, strict=True)]
    return {"nodes": page, "edges": edges, "pageInfo": info}


def _media(product: Product) -> Json:
    image = {"url": product.image_url, "width": 240, "height": 240, "altText": product.title}
    return {"id": f"gid://shopify/MediaImage/{product.id}", "alt": product.title, "preview": {"image": image}, "image": image}


def product_object(shop: Shop, product: Product) -> Json:
    """A product with all its variants on one page."""
    variants = [
        {
            "id": f"gid://shopify/ProductVariant/{variant.id}",
            "title": variant.title,
            "displayName": f"{product.title} - {variant.title}",
            "sku": variant.sku,
            "price": text(variant.price),
            "compareAtPrice": None,
            "availableForSale": True,
            "inventoryQuantity": 40,
            "image": _media(product)["image"],
            "media": connection([_media(product)]),
        }
        for variant in product.variants
    ]
    return {
        "__typename": "Product",
        "id": f"gid://shopify/Product/{product.id}",
        "legacyResourceId": str(product.id),
        "title": product.title,
        "handle": product.handle,
        "status": "ACTIVE",
        "vendor": shop.name,
        "productType": product.kind,
        "category": {"id": "gid://shopify/TaxonomyCategory/hg-3", "name": product.kind, "fullName": f"Home & Garden > {product.kind}"},
        "tags": [],
        "description": product.description,
        "descriptionHtml": product.description,
        "onlineStoreUrl": f"https://{DOMAIN}/products/{product.handle}",
        "onlineStorePreviewUrl": f"https://{DOMAIN}/products/{product.handle}",
        "featuredMedia": _media(product),
        "featuredImage": _media(product)["image"],
        "createdAt": "2026-01-01T00:00:00Z",
        "publishedAt": "2026-01-01T00:00:00Z",
        "updatedAt": "2026-11-01T00:00:00Z",
        "variants": connection(variants),
    }


def order_object(shop: Shop, order: Order) -> Json:
    """An order; `updatedAt` in whole seconds as in webhooks."""
    checkout = order.checkout
    total = checkout.subtotal + checkout.tax
    lines = [_line(shop, line) for line in checkout.lines]
    status = order.financial_status.upper()
    return {
        "__typename": "Order",
        "id": f"gid://shopify/Order/{order.id}",
        "legacyResourceId": str(order.id),
        "name": f"#{order.number}",
        "number": order.number,
        "createdAt": _time(order.created_at),
        "updatedAt": _time(order.updated_at),
        "processedAt": _time(order.created_at),
        "cancelledAt": _time(order.cancelled_at),
        "cancelReason": "CUSTOMER" if order.cancelled_at else None,
        "checkoutToken": checkout.token,
        "cartToken": checkout.cart_token,
        "email": checkout.email,
        "phone": checkout.phone,
        "currencyCode": shop.currency,
        "presentmentCurrencyCode": shop.currency,
        "displayFinancialStatus": status,
        "fullyPaid": status == "PAID",
        "customerAcceptsMarketing": checkout.accepts_marketing,
        "customer": _customer(checkout.customer) if checkout.customer else None,
        "billingAddress": _address(order.address),
        "shippingAddress": _address(order.address),
        "lineItems": connection(lines),
        "paymentGatewayNames": [order.gateway],
        **_amounts(shop, {"subtotalPriceSet": checkout.subtotal, "totalPriceSet": total, "totalTaxSet": checkout.tax}),
        **_amounts(shop, {"totalDiscountsSet": Decimal(0), "totalShippingPriceSet": Decimal(0)}),
        **_ordinary_order(),
    }


def _ordinary_order() -> Json:
    """What is the same in every order of this shop."""
    return {
        "attribution": {"handle": "online_store", "displayName": "Online Store"},
        "closedAt": None,
        "confirmed": True,
        "customAttributes": [],
        "customerLocale": "en",
        "discountApplications": connection([]),
        "discountCode": None,
        "discountCodes": [],
        "displayFulfillmentStatus": "UNFULFILLED",
        "note": None,
        "shippingLine": {"title": "Standard", "code": "Standard"},
        "shippingLines": connection([{"title": "Standard", "code": "Standard"}]),
        "sourceName": "web",
        "tags": [],
        "taxLines": [],
        "taxesIncluded": False,
        "test": False,
    }


def _amounts(shop: Shop, amounts: Mapping[str, Decimal]) -> Json:
    """Each amount under its name and, as nothing was ever edited, under its `current…` name."""
    body: Json = {}
    for name, amount in amounts.items():
        body[name] = body["current" + name[0].upper() + name[1:]] = _money(shop, amount)
    return body


def _money(shop: Shop, amount: Decimal) -> Json:
    side = {"amount": text(amount), "currencyCode": shop.currency}
    return {"shopMoney": side, "presentmentMoney": dict(side)}


def _line(shop: Shop, line: Line) -> Json:
    title = None if line.variant.title == "Default Title" else line.variant.title
    unit, total = _money(shop, line.variant.price), _money(shop, line.total)
    return {
        "id": f"gid://shopify/LineItem/{line.id}",
        "title": line.product.title,
        "name": f"{line.product.title} - {title}" if title else line.product.title,
        "variantTitle": title,
        "sku": line.variant.sku,
        "vendor": shop.name,
        "quantity": line.quantity,
        "currentQuantity": line.quantity,
        "product": {"id": f"gid://shopify/Product/{line.product.id}", "title": line.product.title, "handle": line.product.handle},
        "variant": {"id": f"gid://shopify/ProductVariant/{line.variant.id}", "title": line.variant.title, "sku": line.variant.sku},
        "image": _media(line.product)["image"],
        "customAttributes": [],
        "taxLines": [],
        "discountAllocations": [],
        "requiresShipping": True,
        "originalUnitPriceSet": unit,
        "discountedUnitPriceSet": unit,
        "discountedUnitPriceAfterAllDiscountsSet": unit,
        "originalTotalSet": total,
        "discountedTotalSet": total,
        "totalDiscountSet": _money(shop, Decimal(0)),
    }


def _customer(customer: Customer) -> Json:
    shopper = customer.shopper
    return {
        "id": f"gid://shopify/Customer/{customer.id}",
        "legacyResourceId": str(customer.id),
        "email": shopper.email,
        "phone": shopper.phone,
        "firstName": shopper.first_name,
        "lastName": shopper.last_name,
        "displayName": " ".join(part for part in (shopper.first_name, shopper.last_name) if part) or shopper.email,
        "locale": "en",
        "state": "DISABLED",
        "tags": [],
        "createdAt": _time(customer.created_at),
        "updatedAt": _time(customer.updated_at),
        "defaultEmailAddress": {"emailAddress": shopper.email, "validFormat": True, "marketingState": "NOT_SUBSCRIBED"},
        "defaultPhoneNumber": {"phoneNumber": shopper.phone} if shopper.phone else None,
        "defaultAddress": _address(shopper.address) if shopper.address else None,
    }


def _address(address: Address) -> Json:
    return {
        "firstName": address.first_name,
        "lastName": address.last_name,
        "name": " ".join(part for part in (address.first_name, address.last_name) if part),
        "company": address.company,
        "address1": address.address1,
        "address2": None,
        "city": address.city,
        "zip": address.zip,
        "province": address.province,
        "provinceCode": address.province_code,
        "country": address.country,
        "countryCode": address.country_code,
        "countryCodeV2": address.country_code,
        "phone": address.phone,
    }


def _time(at: datetime | None) -> str | None:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if at else None
