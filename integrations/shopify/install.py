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

from connector.config import Settings
from connector.platforms import Access, BadSignature, Callback, Installation, InstallRefused, InstallStart
from integrations.shopify.answers import PLATFORM
from integrations.shopify.client import Client
from integrations.shopify.oauth import TokenAnswer, exchange_code
from integrations.shopify.profile import read_shop
from integrations.shopify.signature import same_text, shop_domain, verify_query
from integrations.shopify.tokens import credentials_of

WINDOW_SECONDS = 90
AGAIN = "open the app in Shopify again"

_ADMIN = re.compile(r"admin\.shopify\.com/store/[a-z0-9][a-z0-9\-]*", re.ASCII)


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
