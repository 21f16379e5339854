"""What a store says of itself: name, money, time zone, address."""

from collections.abc import Mapping
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from connector.canonical import ShopProfile
from connector.platforms import Gone, NotPermitted, PayloadError, Rejected, TransientError
from connector.rules.identity import normalise_email
from integrations.woocommerce import client
from integrations.woocommerce.calling import Call
from integrations.woocommerce.payloads import PLATFORM, SiteIndex
from integrations.woocommerce.plaintext import plain, text
from integrations.woocommerce.values import country_code, currency_code, money, web_address

# Zones without summer time for offsets that are no whole hours.
_ODD_OFFSETS = {
    "-9.5": "Pacific/Marquesas",
    "3.5": "Asia/Tehran",
    "4.5": "Asia/Kabul",
    "5.5": "Asia/Kolkata",
    "5.75": "Asia/Kathmandu",
    "6.5": "Asia/Yangon",
    "8.75": "Australia/Eucla",
    "9.5": "Australia/Darwin",
}


def read_profile(call: Call) -> ShopProfile:
    """
    Ask the store for its profile; four to five calls that also prove that the keys read.

    Tax and e-mail settings may be withheld without harm. Raises PlatformError.
    """
    status = client.read_status(call)
    general = client.read_settings(call, "general")
    index = client.read_index(call)
    tax, email = _optional(call, "tax"), _optional(call, "email")
    home = web_address(index.home) or web_address(status.environment.home_url) or f"https://{call.access.domain}"
    addresses = (home, index.url, status.environment.site_url, f"https://{call.access.domain}")
    return ShopProfile(
        name=plain(index.name) or call.access.domain,
        currency=_currency(text(general.get("woocommerce_currency")) or text(status.settings.currency)),
        timezone=time_zone(index),
        url=home,
        language=_language(text(status.environment.language)),
        country=country_code((text(general.get("woocommerce_default_country")) or "").partition(":")[0]),
        contact_email=normalise_email(text(email.get("woocommerce_email_from_address"))),
        address=_address(general),
        taxes_included=text(tax.get("woocommerce_prices_include_tax")) == "yes",
        hosts=tuple(dict.fromkeys(host for address in addresses if (host := _host(text(address))))),
    )


def time_zone(index: SiteIndex) -> str:
    """
    The site's IANA zone. A site set to a plain offset gets a zone that keeps it all year; UTC if there is none.

    The sign of `Etc/GMT` names is reversed: two hours east of Greenwich is `Etc/GMT-2`.
    """
    named = text(index.timezone_string)
    if named:
        try:
            return ZoneInfo(named).key
        except (KeyError, ValueError, OSError):
            return "UTC"
    try:
        offset = money(index.gmt_offset) or 0
    except PayloadError:
        return "UTC"
    if offset == int(offset) and -12 <= offset <= 14:
        return f"Etc/GMT{int(-offset):+d}" if offset else "UTC"
    return _ODD_OFFSETS.get(f"{offset:f}".rstrip("0"), "UTC")


def _optional(call: Call, group: str) -> Mapping[str, str]:
    try:
        return client.read_settings(call, group)
    except (NotPermitted, Gone, Rejected):
        return {}


def _currency(value: str | None) -> str:
    try:
        return currency_code(value or "")
    except PayloadError as error:
        raise TransientError("the store names no currency", platform=PLATFORM, call="settings_general") from error


def _language(locale: str | None) -> str | None:
    # fr_FR, de_DE_formal -> fr-FR, de-DE
    return "-".join(locale.split("_")[:2]) if locale else None


def _address(general: Mapping[str, str]) -> str | None:
    street = [text(general.get(f"woocommerce_store_{part}")) for part in ("address", "address_2")]
    town = " ".join(filter(None, (text(general.get(f"woocommerce_store_{part}")) for part in ("postcode", "city"))))
    country = text(general.get("woocommerce_default_country"))
    return ", ".join(filter(None, (*street, town, country))) or None


def _host(address: str | None) -> str | None:
    try:
        return urlsplit(address or "").hostname
    except ValueError:
        return None
