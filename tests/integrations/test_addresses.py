"""Which addresses are public servers' and which are not."""

from ipaddress import ip_address

import pytest

from integrations.addresses import is_public

PUBLIC = ["1.1.1.1", "93.184.215.14", "192.0.1.1", "172.15.255.255", "172.32.0.1", "100.63.255.255", "100.128.0.1", "223.255.255.255"]
PUBLIC_V6 = ["2606:4700:4700::1111", "2a00:1450:4001:81b::200e", "2001:4860:4860::8888", "2001:200::1", "2003::1"]
SPECIAL = [
    *("0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.0.9"),
    *("168.63.129.16", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.0.192", "192.0.2.1", "192.31.196.1"),
    *("192.52.193.1", "192.88.99.1", "192.168.1.1", "192.175.48.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1"),
    *("224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"),
]
SPECIAL_V6 = [
    *("::", "::1", "100::1", "100:0:0:1::1", "2001::1", "2001:0:53aa:64c:0:fbff:f5ff:fffe", "2001:2::1", "2001:10::1", "2001:20::1"),
    *("2001:db8::1", "2002:7f00:1::", "2002:808:808::", "2620:4f:8000::1", "3fff::1", "5f00::1", "64:ff9b::7f00:1", "64:ff9b::808:808"),
    *("64:ff9b:1::a00:1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "2606:4700::1111%1", "fec0::1", "ff02::1"),
]


@pytest.mark.parametrize("address", PUBLIC + PUBLIC_V6)
def test_what_is_given_out_to_servers_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", SPECIAL + SPECIAL_V6)
def test_special_ranges_are_not(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", SPECIAL + PUBLIC)
def test_an_address_inside_another_is_not_whatever_it_is(address: str) -> None:
    """Mapped, compatible, translated, 6to4, NAT64 of the well-known prefix, ISATAP."""
    number = int(ip_address(address))
    high, low = number >> 16, number & 0xFFFF
    inside = [f"::ffff:{address}", f"::{address}", f"::ffff:0:{address}", f"2002:{high:x}:{low:x}::1", f"64:ff9b::{address}"]
    inside += [f"::ffff:{high:x}:{low:x}", f"0:0:0:0:0:ffff:{high:x}:{low:x}", f"fe80::5efe:{address}"]
    assert [text for text in inside if is_public(text)] == []


@pytest.mark.parametrize(
    "address", ["", "localhost", "galets.example", "127.1", "2130706433", "0x7f.0.0.1", "0177.0.0.1", "1.1.1.1/32", "1.1.1"]
)
def test_what_is_no_plain_address_is_not(address: str) -> None:
    """A resolver gives none of these; should one ever, it leads nowhere."""
    assert not is_public(address)
