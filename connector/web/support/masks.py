"""Personal data as it is shown before a reason was given: enough to recognise what one knows, too little to learn it."""

DOTS = "•••"
LEAST_DIGITS = 6


def masked_email(address: str | None) -> str:
    """`anna@example.org` as `a•••@e•••.org`; nothing for nothing."""
    if not address:
        return ""
    local, sign, host = address.strip().rpartition("@")
    if not (local and sign and host):
        return DOTS
    _, dot, end = host.rpartition(".")
    return f"{local[0]}{DOTS}@{host[0]}{DOTS}{f'.{end}' if dot else ''}"


def masked_phone(number: str | None) -> str:
    """`06 45 67 89 01` as `•••01`; nothing for nothing."""
    digits = [sign for sign in number or "" if sign.isdigit()]
    if not number:
        return ""
    return DOTS + ("".join(digits[-2:]) if len(digits) >= LEAST_DIGITS else "")
