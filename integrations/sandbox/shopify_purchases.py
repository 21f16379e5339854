"""GraphQL objects of the pretend Shopify about people and what they buy: customers, abandoned checkouts, orders."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from integrations.sandbox.shopify_objects import (
    address_object,
    amount,
    gid,
    image_object,
    moment,
    money_bag,
    paged,
    product_object,
    variant_object,
)
from integrations.sandbox.shopify_search import Json, Listing
from integrations.sandbox.shopify_shop import CENT, DOMAIN, TAX_RATE, Checkout, Customer, Dispute, Line, Marketing, Order, Shop

ORDERS: Listing[Order] = Listing(
    {
        "id": lambda one: one.id,
        "name": lambda one: [f"#{one.number}", str(one.number)],
        "created_at": lambda one: one.created_at,
        "updated_at": lambda one: one.updated_at,
        "processed_at": lambda one: one.created_at,
        "checkout_token": lambda one: one.checkout.token,
        "cart_token": lambda one: one.checkout.cart_token,
        "email": lambda one: one.checkout.email,
        "customer_id": lambda one: one.checkout.customer.id if one.checkout.customer else None,
        "discount_code": lambda one: one.checkout.discount_code,
        "financial_status": lambda one: one.financial_status,
        "test": lambda one: one.is_test,
        "status": lambda one: "cancelled" if one.cancelled_at else "open",
    },
    {
        "CREATED_AT": lambda one: one.created_at,
        "UPDATED_AT": lambda one: one.updated_at,
        "PROCESSED_AT": lambda one: one.created_at,
        "ORDER_NUMBER": lambda one: one.number,
    },
    lambda one: one.id,
    lambda one: f"#{one.number} {one.number} {one.checkout.email or ''}",
)


def is_listed(checkout: Checkout) -> bool:
    """Whether Shopify lists a checkout among the abandoned ones: contact data were given. Those recovered since stay listed."""
    return bool(checkout.email or checkout.phone or checkout.customer)


def customer_object(shop: Shop, customer: Customer) -> Json:
    """A customer record; consent stands in the address or number that it is about."""
    shopper = customer.shopper
    name = " ".join(part for part in (shopper.first_name, shopper.last_name) if part)
    shown = "" if shop.withheld & {"name", "email"} else name or shopper.email
    address = address_object(shop, shopper.address, customer.id)

    def orders() -> list[Order]:
        return [order for order in shop.orders.values() if order.checkout.customer is customer]

    return {
        "__typename": "Customer",
        "id": gid("Customer", customer.id),
        "legacyResourceId": str(customer.id),
        "firstName": shopper.first_name,
        "lastName": shopper.last_name,
        "displayName": shown,
        "locale": "en",
        "state": "DISABLED",
        "tags": [],
        "note": customer.note,
        "taxExempt": False,
        "dataSaleOptOut": False,
        "verifiedEmail": True,
        "createdAt": moment(customer.created_at),
        "updatedAt": moment(customer.updated_at),
        "defaultEmailAddress": _email(shopper.email, customer.email_marketing) if shopper.email else None,
        "defaultPhoneNumber": _phone(shopper.phone, customer) if shopper.phone else None,
        "defaultAddress": address,
        "addressesV2": lambda info, **asked: paged(info, [address] if address else [], _ADDRESSES, asked, lambda one: one),
        "numberOfOrders": lambda info: str(len(orders())),
        "amountSpent": lambda info: amount(shop, sum((one.checkout.subtotal + one.checkout.tax for one in orders()), Decimal(0))),
        "lastOrder": lambda info: order_object(shop, orders()[-1]) if orders() else None,
        "orders": lambda info, **asked: paged(info, orders(), ORDERS, asked, lambda one: order_object(shop, one)),
    }


def abandoned_object(shop: Shop, checkout: Checkout) -> Json:
    """A checkout with contact data. No e-mail address, phone, token or consent: Shopify gives none of them here."""
    tax = _tax_lines(shop, checkout)
    lines = checkout.lines
    return {
        "__typename": "AbandonedCheckout",
        "id": gid("AbandonedCheckout", checkout.number),
        "defaultCursor": str(checkout.number),
        "name": f"#{checkout.number}",
        "createdAt": moment(checkout.created_at),
        "updatedAt": moment(checkout.updated_at),
        "completedAt": moment(checkout.completed_at),
        "abandonedCheckoutUrl": f"https://{DOMAIN}{checkout.path}?key={checkout.key}",
        "discountCodes": [checkout.discount_code] if checkout.discount_code else [],
        "note": "",
        "customAttributes": [],
        "taxesIncluded": False,
        "taxLines": tax,
        "subtotalPriceSet": money_bag(shop, checkout.subtotal),
        "totalPriceSet": money_bag(shop, checkout.subtotal + checkout.tax),
        "totalTaxSet": money_bag(shop, checkout.tax),
        "totalDiscountSet": money_bag(shop, checkout.discount),
        "totalDutiesSet": None,
        "totalLineItemsPriceSet": money_bag(shop, checkout.subtotal + checkout.discount),
        "shippingAddress": address_object(shop, checkout.address, checkout.number),
        "billingAddress": address_object(shop, checkout.address, checkout.number) if checkout.completed_at else None,
        "customer": lambda info: customer_object(shop, checkout.customer) if checkout.customer else None,
        "lineItems": lambda info, **asked: paged(info, lines, _LINES, asked, lambda one: _abandoned_line(shop, one)),
    }


def abandonment_object(shop: Shop, checkout: Checkout) -> Json | None:
    """What Shopify reckons of an abandoned checkout; only one with a customer has it."""
    customer = checkout.customer
    if customer is None:
        return None
    later = [order for order in shop.orders.values() if order.checkout.customer is customer and order.created_at >= checkout.created_at]
    hours = (shop.now() - checkout.updated_at).total_seconds() / 3600
    return {
        "__typename": "Abandonment",
        "id": gid("Abandonment", checkout.number),
        "abandonedCheckoutPayload": lambda info: abandoned_object(shop, checkout),
        "abandonmentType": "CHECKOUT",
        "mostRecentStep": "CHECKOUT",
        "cartUrl": f"https://{DOMAIN}/cart",
        "createdAt": moment(checkout.created_at),
        "visitStartedAt": moment(checkout.created_at),
        "customer": lambda info: customer_object(shop, customer),
        "customerHasNoOrderSinceAbandonment": not later,
        "customerHasNoDraftOrderSinceAbandonment": True,
        "daysSinceLastAbandonmentEmail": 0,
        "emailSentAt": None,
        "emailState": "NOT_SENT",
        "hoursSinceLastAbandonedCheckout": hours,
        "inventoryAvailable": all(shop.is_buyable(line) for line in checkout.lines),
        "isFromCustomStorefront": False,
        "isFromOnlineStore": True,
        "isFromShopApp": False,
        "isFromShopPay": False,
        "isMostSignificantAbandonment": True,
        "lastBrowseAbandonmentDate": moment(checkout.updated_at),
        "lastCartAbandonmentDate": moment(checkout.updated_at),
        "lastCheckoutAbandonmentDate": moment(checkout.updated_at),
    }


def order_object(shop: Shop, order: Order) -> Json:
    """An order; `updatedAt` in whole seconds as in webhooks."""
    checkout = order.checkout
    status = order.financial_status.upper()
    lines, codes, delivery = checkout.lines, [checkout.discount_code] if checkout.discount_code else [], _shipping(shop)
    applied = [(0, _application(shop, checkout))] if codes else []
    return {
        "__typename": "Order",
        "id": gid("Order", order.id),
        "legacyResourceId": str(order.id),
        "name": f"#{order.number}",
        "number": order.number,
        "createdAt": moment(order.created_at),
        "updatedAt": moment(order.updated_at),
        "processedAt": moment(order.created_at),
        "cancelledAt": moment(order.cancelled_at),
        "cancelReason": "CUSTOMER" if order.cancelled_at else None,
        "checkoutToken": checkout.token,
        "cartToken": checkout.cart_token,
        "email": checkout.email,
        "phone": checkout.phone,
        "test": order.is_test,
        "currencyCode": shop.currency,
        "presentmentCurrencyCode": shop.currency,
        "displayFinancialStatus": status,
        "fullyPaid": status == "PAID",
        "customerAcceptsMarketing": checkout.accepts_marketing,
        "customer": lambda info: customer_object(shop, checkout.customer) if checkout.customer else None,
        "billingAddress": address_object(shop, order.address, order.id),
        "shippingAddress": address_object(shop, order.address, order.id),
        "discountCode": codes[0] if codes else None,
        "discountCodes": codes,
        "discountApplications": lambda info, **asked: paged(info, applied, _PLACES, asked, lambda row: row[1]),
        "lineItems": lambda info, **asked: paged(info, lines, _LINES, asked, lambda one: _order_line(shop, checkout, one)),
        "subtotalLineItemsQuantity": sum(line.quantity for line in lines),
        "paymentGatewayNames": [order.gateway],
        "shippingLine": delivery,
        "shippingLines": lambda info, includeRemovals=False, **asked: paged(  # noqa: N803 - Shopify's argument
            info, [(0, delivery)], _PLACES, asked, lambda row: row[1]
        ),
        "taxLines": _tax_lines(shop, checkout),
        "transactions": lambda info, first=None, **_: _transactions(shop, order)[:first],
        "disputes": [_dispute(one) for one in order.disputes],
        **_order_amounts(shop, order),
        **_ordinary_order(),
    }


def _ordinary_order() -> Json:
    """What is the same in every order of this shop."""
    return {
        "attribution": {"handle": "online_store", "displayName": "Online Store", "icon": None},
        "closed": False,
        "closedAt": None,
        "confirmed": True,
        "customAttributes": [],
        "customerLocale": "en",
        "displayFulfillmentStatus": "UNFULFILLED",
        "note": None,
        "requiresShipping": True,
        "sourceIdentifier": None,
        "sourceName": "web",
        "tags": [],
        "taxesIncluded": False,
    }


def _dispute(one: Dispute) -> Json:
    number = gid("OrderDisputeSummary", one.id)
    return {"__typename": "OrderDisputeSummary", "id": number, "initiatedAs": one.began_as.upper(), "status": one.status.upper()}


def _transactions(shop: Shop, order: Order) -> list[Json]:
    """The payment, and what was given back."""
    paid = order.paid_at is not None
    moved = [(order.id, "SALE", "SUCCESS" if paid else "PENDING", order.paid_at, order.total, order.created_at)]
    moved += [(one.id, "REFUND", "SUCCESS", one.at, one.amount, one.at) for one in order.refunds]
    return [
        {
            "__typename": "OrderTransaction",
            "id": gid("OrderTransaction", number),
            "kind": kind,
            "status": status,
            "processedAt": moment(processed_at),
            "createdAt": moment(created_at),
            "amountSet": money_bag(shop, worth),
            "gateway": order.gateway,
            "test": order.is_test,
        }
        for number, kind, status, processed_at, worth, created_at in moved
    ]


def _order_amounts(shop: Shop, order: Order) -> Json:
    """Each amount and, as nothing was ever edited, the same as the current one."""
    checkout, total = order.checkout, order.total
    amounts = {"SubtotalPriceSet": checkout.subtotal, "TotalPriceSet": total, "TotalTaxSet": checkout.tax}
    amounts |= {"TotalDiscountsSet": checkout.discount}
    body: Json = {"totalShippingPriceSet": money_bag(shop, Decimal(0)), "currentShippingPriceSet": money_bag(shop, Decimal(0))}
    body["totalRefundedSet"] = money_bag(shop, order.refunded)
    for name, value in amounts.items():
        body[name[0].lower() + name[1:]] = body["current" + name] = money_bag(shop, value)
    return body


def _tax_lines(shop: Shop, checkout: Checkout) -> list[Json]:
    if not checkout.tax:
        return []
    rate = {"rate": float(TAX_RATE), "ratePercentage": float(TAX_RATE * 100)}
    return [{"title": "Maine State Tax", "source": "Shopify", "channelLiable": False, "priceSet": money_bag(shop, checkout.tax), **rate}]


def _shipping(shop: Shop) -> Json:
    free = money_bag(shop, Decimal(0))
    words = {"id": gid("ShippingLine", 1), "title": "Standard", "code": "Standard", "phone": None, "source": "shopify"}
    return {**words, "originalPriceSet": free, "discountedPriceSet": free}


def _application(shop: Shop, checkout: Checkout) -> Json:
    return {
        "__typename": "DiscountCodeApplication",
        "code": checkout.discount_code,
        "allocationMethod": "ACROSS",
        "index": 0,
        "targetSelection": "ALL",
        "targetType": "LINE_ITEM" if checkout.discount else "SHIPPING_LINE",
        "value": {"__typename": "MoneyV2", **amount(shop, checkout.discount)},
    }


def _line(shop: Shop, line: Line) -> Json:
    """What lines of both kinds have; product and variant are null once they were deleted."""
    product = shop.products.get(line.product.id)
    is_there = product is not None and line.variant in product.variants
    return {
        "title": line.product.title,
        "variantTitle": None if line.variant.title == "Default Title" else line.variant.title,
        "sku": line.variant.sku,
        "quantity": line.quantity,
        "image": image_object(line.product) if product is not None else None,
        "customAttributes": [],
        "product": lambda info: product_object(shop, product) if product is not None else None,
        "variant": lambda info: variant_object(shop, line.product, line.variant) if is_there else None,
        "originalUnitPriceSet": money_bag(shop, line.unit_price),
        "discountedUnitPriceSet": money_bag(shop, line.unit_price),
    }


def _abandoned_line(shop: Shop, line: Line) -> Json:
    none: list[tuple[int, Any]] = []
    return {
        **_line(shop, line),
        "__typename": "AbandonedCheckoutLineItem",
        "id": gid("AbandonedCheckoutLineItem", line.id),
        "originalTotalPriceSet": money_bag(shop, line.total),
        "discountedTotalPriceSet": money_bag(shop, line.total),
        "discountedUnitPriceWithCodeDiscount": money_bag(shop, line.unit_price),
        "discountedTotalPriceWithCodeDiscount": money_bag(shop, line.total),
        "discountAllocations": lambda info, **asked: paged(info, none, _PLACES, asked, lambda row: row[1]),
    }


def _order_line(shop: Shop, checkout: Checkout, line: Line) -> Json:
    gross = checkout.subtotal + checkout.discount
    share = (checkout.discount * line.total / gross).quantize(CENT) if gross else Decimal(0)
    title = "" if line.variant.title == "Default Title" else f" - {line.variant.title}"
    allocations = [{"allocatedAmountSet": money_bag(shop, share), "discountApplication": _application(shop, checkout)}] if share else []
    after = money_bag(shop, line.unit_price - (share / line.quantity).quantize(CENT))
    return {
        **_line(shop, line),
        "__typename": "LineItem",
        "id": gid("LineItem", line.id),
        "name": line.product.title + title,
        "vendor": shop.name,
        "currentQuantity": line.quantity,
        "isGiftCard": False,
        "requiresShipping": True,
        "taxable": True,
        "taxLines": [],
        "discountAllocations": allocations,
        "discountedUnitPriceAfterAllDiscountsSet": after,
        "originalTotalSet": money_bag(shop, line.total),
        "discountedTotalSet": lambda info, withCodeDiscounts=False: money_bag(  # noqa: N803 - Shopify's argument
            shop, line.total - (share if withCodeDiscounts else Decimal(0))
        ),
        "totalDiscountSet": money_bag(shop, Decimal(0)),
    }


def _email(address: str, marketing: Marketing | None) -> Json:
    return {
        "emailAddress": address,
        "validFormat": True,
        "marketingState": marketing.state.upper() if marketing else "NOT_SUBSCRIBED",
        "marketingOptInLevel": marketing.level.upper() if marketing else None,
        "marketingUpdatedAt": moment(marketing.at) if marketing else None,
        "marketingUnsubscribeUrl": f"https://{DOMAIN}/account/unsubscribe",
    }


def _phone(number: str, customer: Customer) -> Json:
    return {
        "phoneNumber": number,
        "smsMarketingConsent": _consent("CustomerSmsMarketingConsent", customer.sms_marketing),
        "whatsAppMarketingConsent": _consent("CustomerWhatsAppMarketingConsent", customer.whatsapp_marketing),
    }


def _consent(kind: str, marketing: Marketing | None) -> Json:
    """Nobody asked: NEVER_SUBSCRIBED, which older parts of the API call NOT_SUBSCRIBED."""
    state = marketing.state.upper() if marketing else "NEVER_SUBSCRIBED"
    at: datetime | None = marketing.at if marketing else None
    return {
        "__typename": kind,
        "state": {"NOT_SUBSCRIBED": "NEVER_SUBSCRIBED"}.get(state, state),
        "optInLevel": marketing.level.upper() if marketing else None,
        "updatedAt": moment(at),
        "collectedFrom": marketing.source.upper() if marketing else None,
    }


_LINES: Listing[Line] = Listing({}, {}, lambda line: line.id)
_PLACES: Listing[tuple[int, Any]] = Listing({}, {}, lambda row: row[0])
_ADDRESSES: Listing[Json] = Listing({}, {}, lambda _: 0)
