"""What Shopify says of a shop: its profile, the scopes it granted, and whether shoppers can enter it."""

import msgspec

from connector.canonical import ShopProfile
from connector.platforms import Access, NotPermitted, Rejected, ShopClosed, TransientError
from integrations.shopify import queries
from integrations.shopify.answers import PLATFORM
from integrations.shopify.client import Client
from integrations.shopify.nodes import Node, numeric_id
from integrations.shopify.signature import shop_domain
from integrations.shopify.values import country_code, text


class DomainNode(Node):
    """The shop's public domain."""

    url: str | None = None
    host: str | None = None


class ShopAddress(Node):
    """The shop's public postal address."""

    company: str | None = None
    address1: str | None = None
    address2: str | None = None
    zip: str | None = None
    city: str | None = None
    province: str | None = None
    country: str | None = None
    country_code: str | None = None
    country_code_v2: str | None = None


class ShopNode(Node):
    """What Shopify says of a shop."""

    id: str
    name: str
    currency_code: str
    myshopify_domain: str
    email: str | None = None
    contact_email: str | None = None
    iana_timezone: str | None = None
    taxes_included: bool | None = None
    primary_domain: DomainNode | None = None
    billing_address: ShopAddress | None = None


class Scope(Node):
    """One granted scope."""

    handle: str


class AppInstallation(Node):
    """The app in this shop."""

    access_scopes: list[Scope] = msgspec.field(default_factory=list)


class PasswordProtection(Node):
    """Whether shoppers must give a password before they see the online store."""

    enabled: bool


class OnlineStore(Node):
    """The online store channel."""

    password_protection: PasswordProtection


class OnlineStoreAnswer(Node):
    """`OnlineStoreNow`."""

    online_store: OnlineStore


class ShopAnswer(Node):
    """`ShopProfile`."""

    shop: ShopNode
    current_app_installation: AppInstallation | None = None


def read_shop(client: Client, access: Access) -> tuple[ShopProfile, tuple[str, ...]]:
    """The shop's profile and the scopes it granted. Raises PlatformError."""
    answer = client.query(access, "shop", queries.SHOP, {}, ShopAnswer).data
    shop, address = answer.shop, answer.shop.billing_address
    domain = shop_domain(shop.myshopify_domain)
    if domain is None:
        raise TransientError("the shop has no readable address", platform=PLATFORM, call="shop")
    public = shop.primary_domain or DomainNode()
    installation = answer.current_app_installation or AppInstallation()
    profile = ShopProfile(
        name=shop.name,
        currency=shop.currency_code.upper(),
        timezone=text(shop.iana_timezone) or "UTC",
        url=text(public.url) or f"https://{domain}",
        platform_shop_id=numeric_id(shop.id),
        country=country_code(address.country_code_v2) if address else None,
        contact_email=text(shop.contact_email) or text(shop.email),
        address=_one_line(address) if address else None,
        taxes_included=bool(shop.taxes_included),
        hosts=tuple(dict.fromkeys(host.lower() for host in (domain, text(public.host)) if host)),
    )
    return profile, tuple(scope.handle for scope in installation.access_scopes)


def is_open(client: Client, access: Access) -> bool | None:
    """Whether any shopper can enter the online store; None where Shopify does not tell us. Raises ShopClosed, PlatformError."""
    try:
        answer = client.query(access, "online_store", queries.ONLINE_STORE, {}, OnlineStoreAnswer).data
    except ShopClosed:
        raise
    except (NotPermitted, Rejected):
        return None
    return not answer.online_store.password_protection.enabled


def _one_line(address: ShopAddress) -> str | None:
    place = " ".join(filter(None, (text(address.zip), text(address.city))))
    parts = (address.company, address.address1, address.address2, place, address.province, address.country)
    return ", ".join(part for raw in parts if (part := text(raw))) or None
