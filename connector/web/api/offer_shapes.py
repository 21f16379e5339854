"""What the API answers about offers: states and reasons are codes that never change, money is text, instants are UTC."""

from datetime import date, datetime

from connector.web.api.shapes import Decision, Money, Shape


class Terms(Shape):
    """
    What an offer gives. `mode`: shared (one code for all) or unique (one for each); `code`: of a shared one.

    `kind`: percentage, fixed_amount, free_shipping or other; `value` in percent, or in `currency`, as is `minimum_subtotal`.
    """

    mode: str
    code: str | None
    kind: str | None
    value: str | None
    currency: str | None
    minimum_subtotal: str | None


class Numbers(Shape):
    """What an offer did on the days `since` to `until` of the store's calendar; `net` is `sales` without what was given back."""

    since: date
    until: date
    recipients: int
    orders: int
    sales: list[Money]
    net: list[Money]


class Offer(Shape):
    """
    One offer. `state`: draft, active, suspended or deactivated; `reason` and `detail`: why it is suspended.

    `is_given`: whether people get and see it at this moment. `ends_at`: the end of its code; `stops_at`: the same if it is near.
    """

    id: str
    shop_id: str
    name: str
    state: str
    reason: str | None
    detail: str | None
    is_given: bool
    version: int
    terms: Terms
    created_at: datetime
    state_at: datetime
    activated_at: datetime | None
    ends_at: datetime | None
    stops_at: datetime | None
    numbers: Numbers


class Offers(Shape):
    """Every offer of a store that is not deleted, the newest first."""

    offers: list[Offer]


class Event(Shape):
    """One step in an offer's life. `action`: created, changed, published, suspended, resumed or deactivated."""

    at: datetime
    action: str
    state: str
    reason: str | None
    detail: str | None
    version: int


class OfferDetail(Offer):
    """One offer with its words, its steps (the newest first), and how many grants of it are in which state."""

    headline: str
    text: str
    minimum_order: Money | None
    grants: dict[str, int]
    events: list[Event]


class Grant(Shape):
    """
    What one order earned. `state`: preparing, live, suspended, used or ended. `hidden`: why its link shows nothing now; null: it does.

    `link_url`: the shopper's page; with `.json` at its end, the same for a storefront.
    """

    id: str
    offer_id: str
    version: int
    state: str
    reason: str | None
    hidden: str | None
    code: str | None
    link_url: str
    granted_at: datetime
    ends_at: datetime | None
    opened_at: datetime | None
    used_at: datetime | None


class OrderGrant(Shape):
    """Whether an order earned an offer, and why or why not. Null for both: nobody has looked at it yet, or it is not paid."""

    order_id: str
    decision: Decision | None
    grant: Grant | None
