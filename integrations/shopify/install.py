"""
The authorization code grant: from Shopify's opening request to an expiring token pair and the shop's profile.

Source: shopify.dev, "Authenticate a standalone or API-only app" (state, shop and hmac are checked in this order there). What is
no request of a shop at all is refused (400); what Shopify did not sign, or not lately, is a bad signature (401).
"""

import re
from base64 import b64decode
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from urllib.parse import urlencode

import msgspec

from connector.canonical import ShopProfile
from connector.config import Settings
from connector.platforms import (
    Access,
    BadSignature,
    Callback,
    Installation,
    InstallRefused,
    InstallStart,
    NotPermitted,
    Rejected,
    ShopClosed,
    TransientError,
)
from integrations.shopify import queries
from integrations.shopify.answers import PLATFORM
from integrations.shopify.client import Client
from integrations.shopify.nodes import Node, numeric_id
from integrations.shopify.oauth import TokenAnswer, exchange_code
from integrations.shopify.signature import same_text, shop_domain, verify_query
from integrations.shopify.tokens import credentials_of
from integrations.shopify.values import country_code, text

WINDOW_SECONDS = 90
AGAIN = "open the app in Shopify again"

_ADMIN = re.compile(r"admin\.shopify\.com/store/[a-z0-9][a-z0-9\-]*", re.ASCII)


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


def begin(query_pairs: Sequence[tuple[str, str]], state: str, callback_url: str, now: datetime, settings: Settings) -> InstallStart:
    """
    Check Shopify's opening request and build the address of its permission page; remembers the shop.

    Merchants never type a shop's address (App Store rule 2.3.1), so the request must be signed and fresh. Raises InstallRefused
    or BadSignature.
    """
    secrets = _secrets(settings)
    values = dict(query_pairs)
    shop = shop_domain(values.get("shop", ""))
    if shop is None:
        raise refused("this is not the address of a Shopify store")
    check_host(values.get("host", ""), shop)
    _check_signed(query_pairs, secrets, now)
    asked = {
        "client_id": settings.shopify_client_id,
        "scope": ",".join(wanted_scopes(settings)),
        "redirect_uri": callback_url,
        "state": state,
    }
    return InstallStart(f"https://{shop}/admin/oauth/authorize?{urlencode(asked)}", {"shop": shop})


def finish(
    callback: Callback, remembered: Mapping[str, str], state: str, now: datetime, settings: Settings, client: Client
) -> Installation:
    """
    Check the callback, trade its code for tokens and prove them by reading the shop.

    Missing permissions are reported, not refused. Raises: InstallRefused, BadSignature, or PlatformError from the calls.
    """
    secrets = _secrets(settings)
    values = dict(callback.query)
    if not state or not same_text(values.get("state", ""), state):
        raise refused("the answer belongs to another sign-in")
    shop = shop_domain(values.get("shop", ""))
    if shop is None or not same_text(shop, remembered.get("shop", "")):
        raise refused("the answer comes from another store than the one that asked")
    check_host(values.get("host", ""), shop)
    _check_signed(callback.query, secrets, now)
    if not values.get("code"):
        raise refused("Shopify sent no code; the permission was perhaps not given")
    own = settings.shopify_client_secret.get_secret_value()
    answer = exchange_code(client.transport, shop, settings.shopify_client_id, own, values["code"])
    return installation(client, shop, answer, now, settings)


def installation(client: Client, shop: str, answer: TokenAnswer, now: datetime, settings: Settings) -> Installation:
    """
    Prove a token answer by reading the shop with it; says which of the wanted scopes are missing.

    Raises: InstallRefused if the token never expires, or PlatformError.
    """
    if not answer.access_token or not answer.refresh_token:
        # Public apps may not use tokens that never expire, so one without its refresh token is of no use.
        raise refused("Shopify gave no expiring access token")
    credentials = credentials_of(answer, now)
    profile, granted = read_shop(client, Access(shop_id=0, domain=shop, credentials=credentials))
    scopes = expand_scopes(split_scopes(answer.scope)) or expand_scopes(granted)
    missing = sorted(set(wanted_scopes(settings)) - scopes)
    return Installation(shop, credentials, tuple(sorted(scopes)), tuple(missing), profile)


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


def wanted_scopes(settings: Settings) -> tuple[str, ...]:
    """The scopes asked for, in the order of the setting."""
    return split_scopes(settings.shopify_scopes)


def split_scopes(scopes: str) -> tuple[str, ...]:
    """A comma list as texts; blanks are dropped."""
    return tuple(scope for raw in scopes.split(",") if (scope := raw.strip()))


def expand_scopes(scopes: Iterable[str]) -> set[str]:
    """All scopes that these give: `write_x` implies `read_x`, and Shopify may then list only the former."""
    given = set(scopes)
    return given | {scope.replace("write_", "read_", 1) for scope in given if scope.startswith("write_")}


def refused(why: str) -> InstallRefused:
    """An InstallRefused that says why and what helps."""
    return InstallRefused(f"{why[0].upper()}{why[1:]}; {AGAIN}.", platform=PLATFORM, call="install")


def _secrets(settings: Settings) -> list[bytes]:
    if not settings.shopify_client_id or not settings.shopify_client_secret.get_secret_value():
        raise InstallRefused("This connector has no Shopify app yet: set SHOPIFY_CLIENT_ID and SHOPIFY_CLIENT_SECRET.", platform=PLATFORM)
    return app_secrets(settings)


def app_secrets(settings: Settings) -> list[bytes]:
    """The client secret and, during a rotation, the old one, as bytes; empty ones are left out."""
    both = (settings.shopify_client_secret, settings.shopify_old_client_secret)
    return [secret.get_secret_value().encode() for secret in both if secret.get_secret_value()]


def _check_signed(pairs: Sequence[tuple[str, str]], secrets: Sequence[bytes], now: datetime) -> None:
    # Which secret signs during a rotation is not documented, so both are tried.
    if not verify_query(pairs, secrets):
        raise _unsigned("the request was not signed by Shopify")
    timestamp = dict(pairs).get("timestamp", "")
    fresh = timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 12
    if not fresh or abs(now.timestamp() - int(timestamp)) > WINDOW_SECONDS:
        raise _unsigned("the request is too old")


def check_host(host: str, shop: str) -> None:
    """`host` says, in base64, in which admin we are. Raises InstallRefused if it is given and not Shopify's, or another shop's."""
    try:
        place = b64decode((host + "=" * (-len(host) % 4)).encode("ascii"), altchars=b"-_").decode("ascii")
    except ValueError:
        place = "?"
    if host and place != f"{shop}/admin" and not _ADMIN.fullmatch(place):
        raise refused("this host is not Shopify's")


def _unsigned(why: str) -> BadSignature:
    return BadSignature(f"{why[0].upper()}{why[1:]}; {AGAIN}.", platform=PLATFORM, call="install")


def _one_line(address: ShopAddress) -> str | None:
    place = " ".join(filter(None, (text(address.zip), text(address.city))))
    parts = (address.company, address.address1, address.address2, place, address.province, address.country)
    return ", ".join(part for raw in parts if (part := text(raw))) or None
