"""
Which addresses of the network are somebody's public server, and which are not: pure, no lookups.

The ranges are IANA's special-purpose registries (RFC 6890 and what came after), plus one that a cloud keeps for its own machines.
Whatever carries another address inside it (mapped, 6to4, Teredo, NAT64) is refused whole, whichever address that is: no store is
reached that way, and what a network does with it is not ours to know.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address

PORTS = frozenset([443, 8443])
"""Where stores serve https. Anything else that listens on a machine is no store."""
LOOPBACK = ("127.0.0.1", "localhost")
"""This machine, by the names under which a sandbox knows it."""
_V4 = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",
        "100.64.0.0/10",  # shared by carriers; also a cloud's metadata
        "127.0.0.0/8",
        "168.63.129.16/32",  # a cloud's own service for its machines, inside a public range
        "169.254.0.0/16",  # link-local; metadata of most clouds
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
_PUBLIC_V6 = IPv6Network("2000::/3")
"""All that is given out; everything outside it (loopback, mapped, NAT64, unique local, link-local, multicast) is special."""
_V6 = tuple(
    IPv6Network(text)
    for text in (
        "2001::/23",  # protocol assignments: Teredo, benchmarking, ORCHID
        "2001:db8::/32",
        "2002::/16",  # 6to4
        "2620:4f:8000::/48",
        "3fff::/20",
    )
)


def is_public(address: str) -> bool:
    """Whether a numeric address, as a resolver gives it, is one that a public server can have. Anything unreadable is not."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    if isinstance(found, IPv4Address):
        return found.is_global and not any(found in network for network in _V4)
    # A zone (fe80::1%eth0) names one of our own links.
    return found.scope_id is None and found in _PUBLIC_V6 and not any(found in network for network in _V6)
