"""
How a store is connected: WooCommerce's key grant (wc-auth).

The grant is unsigned and does not name the store. So it is bound to one install by a one-time `user_id`, and nothing is
believed before the remembered store itself has accepted the keys.
"""

import hmac
import re
from collections.abc import Mapping, Sequence
from urllib.parse import urlencode, urlsplit

from connector.platforms import (
    Access,
    AccessLost,
    Callback,
    Installation,
    InstallRefused,
    InstallStart,
    NotPermitted,
    PayloadError,
    PlatformError,
    Rejected,
)
from integrations.transport import Transport
from integrations.woocommerce.client import Call
from integrations.woocommerce.payloads import PLATFORM, Grant, decode
from integrations.woocommerce.profile import read_profile

SCOPE = "read_write"
MAX_ADDRESS = 300
# Host names with a dot and a last label of letters: neither IP addresses in any spelling nor names of a local network.
_LABEL = r"(?!-)[a-z0-9-]{1,63}(?<!-)"
_HOST = re.compile(rf"(?:{_LABEL}\.)+(?:[a-z]{{2,63}}|xn--[a-z0-9-]{{1,59}}(?<!-))")
_LOCAL = (".localhost", ".local", ".internal", ".lan", ".home.arpa", ".localdomain")
_PATH = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9_.~-]+)*")
_WORDPRESS = re.compile(r"/(?:wp-admin|wp-json|wp-login\.php|wc-auth|index\.php)(?:/.*)?$")
_STATE = re.compile(r"[A-Za-z0-9_-]{1,200}")
_KEY = re.compile(r"ck_[0-9a-f]{40}")
_SECRET = re.compile(r"cs_[0-9a-f]{40}")


def begin(query: Sequence[tuple[str, str]], state: str, callback_url: str, return_url: str, *, https_only: bool = True) -> InstallStart:
    """
    The address of the store's own page where a shop manager approves or denies.

    `query` holds the store's address as typed in `store`. Raises InstallRefused for what is no public https store.
    Source: class-wc-auth.php; texts are decoded again on every hop there, so `state` must need no escaping.
    """
    domain = store_domain(next((value for name, value in query if name == "store"), ""))
    if not _STATE.fullmatch(state):
        raise _refused("The install has no usable one-time number. Please start again.")
    if https_only and not callback_url.startswith("https://"):
        raise _refused("WooCommerce hands its keys only to an https address, and ours is not: PUBLIC_URL must begin with https://.")
    asked = {"app_name": "Connector", "scope": SCOPE, "user_id": state, "return_url": return_url, "callback_url": callback_url}
    return InstallStart(url=f"https://{domain}/wc-auth/v1/authorize?{urlencode(asked)}", remember={"domain": domain})


def store_domain(typed: str) -> str:
    """
    A store's address as people type it, as `host[:port][/path]` for https; pasted wp-admin addresses are cut.

    Raises InstallRefused for user names, queries, fragments, IP addresses and names that only a local network knows: we
    would call them from inside our own network.
    """
    address = typed.strip()
    if not address or len(address) > MAX_ADDRESS:
        raise _refused("Please type the address of your store, for example shop.example.com.")
    if "://" not in address:
        address = f"https://{address}"
    try:
        parts = urlsplit(address)
        port = parts.port
        host = (parts.hostname or "").encode("idna").decode("ascii").lower()
    except ValueError as error:
        raise _refused("That is no web address. Please type the address of your store, for example shop.example.com.") from error
    if parts.scheme not in ("http", "https"):
        raise _refused("A store's address begins with https://.")
    if "@" in parts.netloc:
        raise _refused("Please leave out the user name and password: type only the address of your store.")
    if "?" in address or "#" in address:
        raise _refused("Please type only the address of your store, without anything after ? or #.")
    if not _HOST.fullmatch(host) or len(host) > 253 or host.endswith(_LOCAL):
        raise _refused("The store needs a public name such as shop.example.com: bare IP addresses and local names cannot be connected.")
    path = _WORDPRESS.sub("", parts.path).rstrip("/")
    if not _PATH.fullmatch(path):
        raise _refused("That address has signs in its path that a store's address does not have.")
    return f"{host}:{port}{path}" if port is not None else f"{host}{path}"


def finish(transport: Transport, callback: Callback, remembered: Mapping[str, str], state: str) -> Installation:
    """
    Check the grant that a store has posted, prove its keys against the remembered store, and say what the store is.

    Raises InstallRefused with the reason for the merchant, PlatformError if the store cannot be asked at the moment.
    """
    grant = _grant(callback, state)
    domain = store_domain(remembered.get("domain", ""))
    credentials = {"consumer_key": grant.consumer_key, "consumer_secret": grant.consumer_secret}
    call = Call(transport, Access(shop_id=0, domain=domain, credentials=credentials))
    try:
        profile = read_profile(call)
    except (AccessLost, NotPermitted) as error:
        raise _refused(
            "The store does not accept the keys it has just given: the person who approved must manage the shop, and the web "
            "server must pass the Authorization header on.",
            error,
        ) from error
    except PlatformError as error:
        if error.status is not None and 300 <= error.status < 400:
            raise _refused(
                "The store redirects to another address. Please type the address that the browser shows there.", error
            ) from error
        if error.status == 401:
            raise _refused("The store is behind a password. Its REST API must be open to those who have keys.", error) from error
        if error.status != 404 and not isinstance(error, Rejected):
            raise
        raise _refused(
            "WooCommerce's REST API does not answer at that address: WooCommerce must be active and permalinks other than plain.", error
        ) from error
    return Installation(domain=domain, credentials=credentials, scopes=(SCOPE,), missing_scopes=(), profile=profile)


def _grant(callback: Callback, state: str) -> Grant:
    if not callback.body and ("success", "0") in callback.query:
        raise _refused("The connection was denied in the store.")
    try:
        grant = decode(callback.body, Grant)
    except PayloadError as error:
        raise _refused("The store's answer cannot be read. Please start again.", error) from error
    if not state or not hmac.compare_digest(str(grant.user_id).encode(), state.encode()):
        raise _refused("This answer does not belong to an install that was started here. Please start again.")
    if grant.key_permissions != SCOPE:
        raise _refused("The key that was granted may not both read and write. Connector needs Read/Write access to receive checkouts.")
    if not _KEY.fullmatch(grant.consumer_key) or not _SECRET.fullmatch(grant.consumer_secret):
        raise _refused("The store's answer holds no WooCommerce keys. Please start again.")
    return grant


def _refused(words: str, cause: PlatformError | None = None) -> InstallRefused:
    return InstallRefused(words, platform=PLATFORM, call="install", status=cause.status if cause else None)
