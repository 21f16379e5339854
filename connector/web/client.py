"""From where a request comes, for limits on tries."""

import ipaddress

from fastapi import Request

from connector.config import Settings

FORWARDED = "x-forwarded-for"
MOST_HOPS = 20


def client_address(request: Request, settings: Settings) -> str | None:
    """
    The address of the client: the last one that is not a proxy of ours. None if nobody can tell.

    What `X-Forwarded-For` says is believed only from the addresses in TRUSTED_PROXIES, and only as far back as they go: each proxy
    appends whom it heard, so what a client writes there itself stands further left. Whoever comes from a private address that is
    not named there is most likely a proxy nobody told us of, with everybody behind it.
    """
    address = request.client.host if request.client else ""
    hops = [hop.strip() for hop in request.headers.get(FORWARDED, "").split(",")][-MOST_HOPS:]
    if not is_trusted(address, settings):
        return address if _is_address(address) and not ipaddress.ip_address(address).is_private else None
    while hops and is_trusted(address, settings):
        hop = hops.pop()
        if not _is_address(hop):
            break
        address = hop
    return None if is_trusted(address, settings) else address


def is_trusted(address: str, settings: Settings) -> bool:
    """Whether the address is a proxy of ours."""
    return _is_address(address) and any(ipaddress.ip_address(address) in network for network in settings.proxy_networks)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
