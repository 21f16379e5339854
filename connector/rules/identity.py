"""Who is who: phone fallback, e-mail and phone normalisation."""

import re
from functools import lru_cache

import phonenumbers

from connector.canonical import Phone

_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f<>(),;:\"\[\]\\]{1,64}@[^@\s\x00-\x1f\x7f<>(),;:\"\[\]\\]{1,253}")
_HOST = re.compile(r"(?!-)[^\W_](?:[^\W_]|-){0,62}(?<!-)(?:\.(?!-)[^\W_](?:[^\W_]|-){0,62}(?<!-))+")
MAX_RAW_PHONE = 64
MAX_EMAIL = 318  # 64 before the @, 253 behind it
# The same few people are told of again and again. What is remembered is short, so this holds a few megabytes at most.
REMEMBERED = 8192


def choose_phone(record: str | None, default_address: str | None, country: str | None) -> Phone | None:
    """
    The phone of a person (AC-62): customer record, else default shipping address, else none.

    A blank text counts as absent. A text that does not parse is still the chosen one: it keeps its raw form only, and
    the next source is not asked, so that the profile always shows what the store shows first.
    """
    return parse_phone(record, country) or parse_phone(default_address, country)


def parse_phone(raw: str | None, country: str | None) -> Phone | None:
    """
    Read one phone text; None if blank.

    `country` (ISO 3166-1 alpha-2) helps national forms; `e164` stays None for what is not a possible valid number.
    """
    if not raw or not (text := raw.strip()[:MAX_RAW_PHONE]):
        return None
    return _read_phone(text, country.upper() if country else None)


@lru_cache(REMEMBERED)
def _read_phone(text: str, region: str | None) -> Phone:
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return Phone(text)
    if not phonenumbers.is_valid_number(number):
        return Phone(text)
    return Phone(text, phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def normalise_email(raw: str | None) -> str | None:
    """
    The form in which addresses are compared: trimmed and lower-cased; None if it cannot be an address.

    Half-typed texts occur (`anna@exam`, before a domain is complete): a host without a dot is refused.
    """
    if not raw:
        return None
    text = raw.strip().lower()
    return _read_email(text) if len(text) <= MAX_EMAIL else None


@lru_cache(REMEMBERED)
def _read_email(text: str) -> str | None:
    if not _EMAIL.fullmatch(text):
        return None
    local, _, host = text.rpartition("@")
    if local.startswith(".") or local.endswith(".") or ".." in local or not _HOST.fullmatch(host):
        return None
    return text


def fold_email(email: str) -> str:
    """
    One form for the aliases of an address: without `+tag`, and for Google's mail without dots. To compare people, never to write to.
    """
    local, _, host = email.strip().lower().rpartition("@")
    local = local.partition("+")[0] or local
    if host in ("gmail.com", "googlemail.com"):
        local, host = local.replace(".", "") or local, "gmail.com"
    return f"{local}@{host}"
