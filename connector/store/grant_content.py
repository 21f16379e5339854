"""What a person is told of an offer that is theirs: in its e-mail, on its page, and in what a storefront shows."""

from sqlmodel import Session

from connector.messages.offer_mail import OfferContent
from connector.rules.zones import zone
from connector.store import grant_links, outgoing
from connector.store.grants import GrantView
from connector.store.tables import ShopRow


def content_of(session: Session, shop: ShopRow, seen: GrantView, *, base_url: str, unsubscribe_token: str | None = None) -> OfferContent:
    """
    All that a grant says. What its code gives is what the store had it give when it was read last, else what it was made to give.

    `base_url`: our own address, without a slash at its end. Without a token the way out leads to the offer itself.
    """
    grant, version, code = seen.grant, seen.version, seen.code
    banner = grant_links.banner_name(session, version.banner_id)
    terms = code or version
    link = f"{base_url}/o/{grant.link_token}"
    return OfferContent(
        shop_name=shop.name,
        shop_contact=outgoing.shop_contact(shop),
        language=grant.language or shop.language or "en",
        zone=zone(shop.timezone),
        first_name=grant.first_name,
        headline=version.headline,
        body=version.body,
        code=grant.code or "",
        kind=terms.kind,
        value=terms.value,
        currency=terms.currency or version.currency or shop.currency,
        minimum_subtotal=terms.minimum_subtotal,
        ends_at=seen.ends_at,
        link_url=link,
        unsubscribe_url=f"{base_url}/u/{unsubscribe_token}" if unsubscribe_token else link,
        banner_url=f"{base_url}/banners/{banner}" if banner else None,
    )
