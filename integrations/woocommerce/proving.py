"""
Showing that keys reach a store, read and write, before anything of it is kept.

A web server may take the Authorization header away; then the keys go as parameters over https. What stands in the way is named.
"""

import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from connector import decoding
from connector.canonical import ShopProfile
from connector.checkups import Check, Verdict
from connector.hindrances import InstallHindered
from connector.platforms import Access, AccessLost, InstallRefused, NotPermitted, PlatformError, Rejected, TransientError
from integrations.connecting import until
from integrations.transport import AddressRefused, Answer, LedAstrayError, Transport, UntrustedError, decode, redirect_target
from integrations.woocommerce.calling import HEADER, OAUTH, QUERY, Call, ask, check, error_of
from integrations.woocommerce.obstacles import ADDRESS, KEYS, RIGHTS, obstacle, write_obstacle
from integrations.woocommerce.payloads import PLATFORM
from integrations.woocommerce.profile import read_profile
from integrations.woocommerce.reports import SYSTEM_FIELDS, system_report

WRITING = "write_nothing"
LOOK_SECONDS = 6.0
WORDPRESS, WOOCOMMERCE = "wp/v2", "wc/v3"
MAYBE_THE_HEADER = (400, 401, 403, 406)
"""What a store, a firewall or a password wall says to keys in the header that may pass as parameters."""
OTHERWISE = "The store cannot be connected as it is ({found})."
WORDS: Mapping[tuple[str, str], str] = {
    (ADDRESS, "redirect"): "The store redirects to {found}. Please type that address.",
    (ADDRESS, "password"): "The store is behind a password. Its REST API must be open to those who have keys.",
    (ADDRESS, "wall"): "A firewall or security plugin answers instead of the store ({found}). Let it allow calls to /wp-json/.",
    (ADDRESS, "closed"): "A plugin closes WordPress's REST API ({found}). Let it allow calls to /wp-json/.",
    (ADDRESS, "no_wordpress"): "WooCommerce's REST API does not answer at that address: there is no WordPress, or its REST API is off.",
    (ADDRESS, "not_called"): "This address leads into a private network or to no public https server; such a store cannot be connected.",
    (ADDRESS, "certificate"): "The store's certificate is not accepted ({found}). Have your host put it right.",
    ("permalinks", "plain"): "Permalinks are set to Plain: choose any others under Settings > Permalinks.",
    ("permalinks", "no_woocommerce"): (
        "WooCommerce's REST API does not answer at that address: WooCommerce must be active and permalinks other than plain."
    ),
    (KEYS, "dead"): "The store does not accept the keys: they must be complete, and the person who has them must manage the shop.",
    (RIGHTS, "no_read"): "The keys may not read. Connector needs Read/Write access.",
    (RIGHTS, "read_only"): "The keys may only read. Connector needs Read/Write access to receive checkouts.",
    (RIGHTS, "owner"): "The store does not accept the keys: the person who has them must manage the shop.",
    (
        RIGHTS,
        "write_wall",
    ): "Reading is let through and writing is turned away ({found}). Let the security plugin allow /wp-json/.",
}


class _Index(msgspec.Struct):
    """WordPress's index."""

    namespaces: list[str]


def look(transport: Transport, domain: str, scheme: str) -> None:
    """
    Before anybody is sent to a store: raise InstallHindered for what will surely stop its keys later.

    A refused grant ends on an error page of the store, and its reason is never read. Asks without keys and for a few seconds;
    what may be otherwise with keys, or does not answer, is let through.
    """
    call = Call(transport, Access(shop_id=0, domain=domain, credentials={"scheme": scheme}))
    try:
        with until(time.monotonic() + LOOK_SECONDS):
            answer = transport.send(PLATFORM, "look", "GET", f"{scheme}://{domain}/wp-json/", params={"_fields": "namespaces"})
            found = obstacle(call, answer) if _is_in_the_way(answer, domain) else None
    except (AddressRefused, LedAstrayError, UntrustedError) as error:
        raise _meaning(error) from error
    except PlatformError:
        return
    # Some hide the REST API from strangers as if there were none.
    if found is not None and found.cause != "no_wordpress":
        raise hindered(found, answer.status)
    if WORDPRESS in (named := _namespaces(answer)) and WOOCOMMERCE not in named:
        raise hindered(Check("permalinks", Verdict.BAD, cause="no_woocommerce"), answer.status)


def prove(transport: Transport, domain: str, scheme: str, keys: tuple[str, str]) -> tuple[Mapping[str, str], ShopProfile]:
    """
    What to keep of the keys, with the way in which they reach the store, and what the store is.

    Changes nothing in the store. Raises InstallRefused with the reason, PlatformError if the store cannot be asked at the moment.
    """
    call = _reach(transport, domain, scheme, keys)
    try:
        profile = read_profile(call)
        answer = ask(call, WRITING, "POST", "wc/v3/coupons/batch", json={"create": []})
    except PlatformError as error:
        raise _meaning(error) from error
    _raise_if_passing(answer, WRITING)
    if found := write_obstacle(answer):
        if found.verdict is not Verdict.BAD:
            check(answer, WRITING)
        raise hindered(found, answer.status)
    _raise_unless_done(answer)
    return call.access.credentials, profile


def _raise_unless_done(answer: Answer) -> None:
    """
    A page with a 200, or another server's JSON, is nobody's leave to write. Raises TransientError.

    A batch of nothing is answered with nothing: `[]` (seen on 10.5.3, 10.9.4 and 11.0.1), or empty lists by name.
    """
    done: Any = decode(answer, object, platform=PLATFORM, call=WRITING)
    lists = list(done.values()) if isinstance(done, dict) and {"create"} <= done.keys() <= {"create", "update", "delete"} else [done]
    if any(one != [] for one in lists):
        words = "unreadable answer: nothing was to be done, and something else was told"
        raise TransientError(words, platform=PLATFORM, call=WRITING, status=answer.status)


def hindered(found: Check, status: int | None = None) -> InstallHindered:
    """The refusal that a finding means."""
    words = WORDS.get((found.code, found.cause), OTHERWISE)
    return InstallHindered(words, platform=PLATFORM, check=found, status=status)


def _reach(transport: Transport, domain: str, scheme: str, keys: tuple[str, str]) -> Call:
    """The call in whose way the store knows the keys: by header if it can be, since addresses end up in logs of the store."""
    refused: list[tuple[Call, Answer]] = []
    for way in (OAUTH,) if scheme == "http" else (HEADER, QUERY):
        credentials = {"consumer_key": keys[0], "consumer_secret": keys[1], "auth": way}
        if way == OAUTH:
            credentials["scheme"] = scheme
        call = Call(transport, Access(shop_id=0, domain=domain, credentials=credentials))
        try:
            answer = ask(call, "prove_keys", "GET", "wc/v3/system_status", params={"_fields": SYSTEM_FIELDS})
        except PlatformError as error:
            if refused:
                break
            raise _meaning(error) from error
        if answer.status == 200 and system_report(answer) is not None:
            return call
        refused.append((call, answer))
        if answer.status not in MAYBE_THE_HEADER:
            break
    call, answer = _telling(refused)
    _raise_if_passing(answer, "prove_keys")
    raise hindered(obstacle(call, answer), answer.status)


def _raise_if_passing(answer: Answer, name: str) -> None:
    """Raise for what may be otherwise in a moment."""
    if answer.status == 429 or answer.status >= 500:
        check(answer, name)


def _is_in_the_way(answer: Answer, domain: str) -> bool:
    """
    Whether an answer to nobody may stand in the way of keys as well: another address, a password wall, permalinks that are plain.

    A plugin may lead strangers to a sign-in page or turn them away, and let keys pass.
    """
    if 300 <= answer.status < 400:
        parts = urlsplit(redirect_target(answer))
        return bool(parts.netloc) and (parts.netloc != domain.partition("/")[0] or "/wp-json" in parts.path)
    is_wall = answer.status == 401 and "www-authenticate" in answer.headers
    return error_of(answer) is None and (is_wall or answer.status in (404, 410))


def _namespaces(answer: Answer) -> list[str]:
    """The programs that answer below /wp-json/; none if the store does not tell."""
    try:
        return decoding.decode(answer.body, _Index).namespaces
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []


def _telling(refused: list[tuple[Call, Answer]]) -> tuple[Call, Answer]:
    """The answer that says most: WooCommerce's own word, of whatever way, the later one first; else the first."""
    own = [pair for pair in refused if (error := error_of(pair[1])) is not None and str(error.code).startswith("woocommerce_rest_")]
    return own[-1] if own else refused[0]


def _meaning(error: PlatformError) -> PlatformError:
    """A refusal for what another try cannot change; other errors as they are."""
    if isinstance(error, InstallRefused):
        return error
    if isinstance(error, AddressRefused | LedAstrayError):
        return hindered(Check(ADDRESS, Verdict.BAD, (str(error),), "not_called"))
    if isinstance(error, UntrustedError):
        return hindered(Check(ADDRESS, Verdict.BAD, (error.fault,), "certificate"))
    if isinstance(error, AccessLost | NotPermitted):
        return hindered(Check(RIGHTS, Verdict.BAD, cause="owner"), error.status)
    if error.status is not None and 300 <= error.status < 400:
        return hindered(Check(ADDRESS, Verdict.BAD, (str(error).rpartition("redirects to ")[2],), "redirect"), error.status)
    if error.status == 401:
        return hindered(Check(ADDRESS, Verdict.BAD, cause="password"), error.status)
    if error.status == 404 or isinstance(error, Rejected):
        return hindered(Check("permalinks", Verdict.BAD, cause="no_woocommerce"), error.status)
    return error
