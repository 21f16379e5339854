"""Where a link in a message may lead: to the shop itself and nowhere else."""

from collections.abc import Iterable
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

LOOPBACK = ("127.0.0.1", "localhost")
USUAL_PORTS = {"https": 443, "http": 80}
CARRIED = frozenset({"discount", "utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term", "utm_id"})
LONGEST_CARRIED = 255
"""Shopify's discount codes are no longer than that."""


def safe_target(recovery_url: str | None, hosts: Iterable[str], shop_url: str) -> str | None:
    """
    The way back to a checkout if it leads to one of the shop's own `hosts` (`name` or `name:port`), else the shop's front page.

    Host and port are compared exactly, no user names, https only; http too of a developer's store on this very machine. None if the
    shop's own address is of no use either.
    """
    schemes = {"https", "http"} if _is_developers(_split(shop_url)) else {"https"}
    allowed = {place for host in hosts if (place := _place(_split(f"https://{host}"))) is not None}
    for url in (recovery_url, shop_url):
        parts = _split(url or "")
        place = _place(parts)
        if url and parts is not None and parts.scheme in schemes and place is not None and (place in allowed or url == shop_url):
            return url
    return None


def carried_on(target: str, pairs: Iterable[tuple[str, str]]) -> str:
    """
    The target with what our own link carried for it: a discount code, which Shopify's checkout applies by itself, and campaign names.

    Nothing else passes, nothing that the target says already is replaced, and not one letter of it changes.
    """
    parts = urlsplit(target)
    taken = {name for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    carried: dict[str, str] = {}
    for name, value in pairs:
        if name in CARRIED and name not in taken and 0 < len(value) <= LONGEST_CARRIED:
            carried.setdefault(name, value)
    if not carried:
        return target
    query = "&".join(text for text in (parts.query, urlencode(carried)) if text)
    return parts._replace(query=query).geturl()


def _split(url: str) -> SplitResult | None:
    # Browsers drop or turn round some signs that our parser takes as part of a name.
    if "\\" in url or any(sign <= " " or sign == "\x7f" for sign in url):
        return None
    try:
        return urlsplit(url)
    except ValueError:
        return None


def _is_developers(parts: SplitResult | None) -> bool:
    return parts is not None and parts.scheme == "http" and parts.hostname in LOOPBACK


def _place(parts: SplitResult | None) -> tuple[str, int | None] | None:
    """Host and port; the usual port of the scheme is None."""
    if parts is None or not parts.hostname or "@" in parts.netloc:
        return None
    try:
        return parts.hostname, None if parts.port == USUAL_PORTS.get(parts.scheme) else parts.port
    except ValueError:
        return None
