"""
How a store is connected: WooCommerce's key grant (wc-auth), or keys that somebody made by hand.

The grant is unsigned and does not name the store. So it is bound to one install by a one-time `user_id`, and nothing is
believed before the remembered store itself has accepted the keys.
"""

import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, urlencode, urlsplit

from connector.config import Settings
from connector.platforms import Callback, Installation, InstallRefused, InstallStart, PayloadError, PlatformError
from integrations.addresses import LOOPBACK, PORTS
from integrations.transport import Transport
from integrations.woocommerce.payloads import PLATFORM, Grant, decode
from integrations.woocommerce.proving import look, prove

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


@dataclass(frozen=True, slots=True)
class StoreAddress:
    """Where a store is: `host[:port][/path]`, and https, or http for stores on a developer's machine."""

    domain: str
    scheme: str = "https"

    def remembered(self) -> dict[str, str]:
        """What an install keeps of it."""
        return {"domain": self.domain} if self.scheme == "https" else {"domain": self.domain, "scheme": self.scheme}


class WooKeyInstall:
    """Connecting a store with keys that somebody made under WooCommerce > Settings > Advanced > REST API. Thread-safe."""

    def __init__(self, transport: Transport, settings: Settings) -> None:
        self._transport = transport
        self._is_sandbox = settings.sandbox

    def install_by_keys(self, address: str, key: str, secret: str) -> Installation:
        """Prove the keys as those of a grant. Raises InstallRefused with the reason for the merchant, or PlatformError."""
        store = store_address(address, is_sandbox=self._is_sandbox)
        if not _KEY.fullmatch(key.strip()) or not _SECRET.fullmatch(secret.strip()):
            raise _refused("These are no keys of WooCommerce: the first begins with ck_, the second with cs_, and both have 43 signs.")
        return _proven(self._transport, store, (key.strip(), secret.strip()))


def begin(
    transport: Transport, query: Sequence[tuple[str, str]], state: str, callback_url: str, return_url: str, *, is_sandbox: bool = False
) -> InstallStart:
    """
    The address of the store's own page where a shop manager approves or denies.

    `query` holds the store's address as typed in `store`. Raises InstallRefused for what is no public https store and for what would
    stop its keys later.
    Source: class-wc-auth.php; texts are decoded again on every hop there, so `state` must need no escaping.
    """
    store = store_address(next((value for name, value in query if name == "store"), ""), is_sandbox=is_sandbox)
    if not _STATE.fullmatch(state):
        raise _refused("The install has no usable one-time number. Please start again.")
    if not is_sandbox and not callback_url.startswith("https://"):
        raise _refused("WooCommerce hands its keys only to an https address, and ours is not: PUBLIC_URL must begin with https://.")
    look(transport, store.domain, store.scheme)
    asked = {"app_name": "Connector", "scope": SCOPE, "user_id": state, "return_url": return_url, "callback_url": callback_url}
    return InstallStart(url=f"{store.scheme}://{store.domain}/wc-auth/v1/authorize?{urlencode(asked)}", remember=store.remembered())


def store_address(typed: str, *, is_sandbox: bool = False) -> StoreAddress:
    """
    A store's address as people type it; https if they leave it out, and pasted wp-admin addresses are cut.

    Raises InstallRefused for http, for user names, queries, fragments, other ports than 443 and 8443, IP addresses and names that
    only a local network knows: we would call them from inside our own network. In sandbox mode http, any port and,
    without https, this machine pass.
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
    _check_parts(address, parts, port, is_sandbox=is_sandbox)
    is_here = is_sandbox and parts.scheme == "http" and host in LOOPBACK
    if not is_here and (not _HOST.fullmatch(host) or len(host) > 253 or host.endswith(_LOCAL)):
        raise _refused("The store needs a public name such as shop.example.com: bare IP addresses and local names cannot be connected.")
    path = _WORDPRESS.sub("", parts.path).rstrip("/")
    if not _PATH.fullmatch(path):
        raise _refused("That address has signs in its path that a store's address does not have.")
    return StoreAddress(f"{host}:{port}{path}" if port is not None else f"{host}{path}", parts.scheme)


def finish(
    transport: Transport, callback: Callback, remembered: Mapping[str, str], state: str, *, is_sandbox: bool = False
) -> Installation:
    """
    Check the grant that a store has posted, prove its keys against the remembered store, and say what the store is.

    Raises InstallRefused with the reason for the merchant, PlatformError if the store cannot be asked at the moment.
    """
    grant = _grant(callback, state)
    store = store_address(f"{remembered.get('scheme', 'https')}://{remembered.get('domain', '')}", is_sandbox=is_sandbox)
    return _proven(transport, store, (grant.consumer_key, grant.consumer_secret))


def _proven(transport: Transport, store: StoreAddress, keys: tuple[str, str]) -> Installation:
    credentials, profile = prove(transport, store.domain, store.scheme, keys)
    return Installation(domain=store.domain, credentials=credentials, scopes=(SCOPE,), missing_scopes=(), profile=profile)


def _check_parts(address: str, parts: SplitResult, port: int | None, *, is_sandbox: bool) -> None:
    if parts.scheme == "http" and not is_sandbox:
        raise _refused("The store must be reached by https: its keys and its customers' data would travel for everybody to read.")
    if parts.scheme not in ("http", "https"):
        raise _refused("A store's address begins with https://.")
    if "@" in parts.netloc:
        raise _refused("Please leave out the user name and password: type only the address of your store.")
    if "?" in address or "#" in address:
        raise _refused("Please type only the address of your store, without anything after ? or #.")
    if not is_sandbox and port is not None and port not in PORTS:
        raise _refused("Stores are reached on port 443 or 8443 only. Please type the address without another port.")


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
