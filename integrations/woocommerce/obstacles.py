"""What stands between us and a store that does not answer as it should: an address, a wall, the permalinks, the keys, a right."""

from dataclasses import replace
from urllib.parse import urljoin, urlsplit

import msgspec

from connector import decoding
from connector.checkups import Check, Verdict
from connector.platforms import PlatformError, Rejected
from integrations.transport import Answer, UntrustedError
from integrations.woocommerce.calling import HEADER, QUERY, Call, ask, error_of
from integrations.woocommerce.payloads import PLATFORM
from integrations.woocommerce.reports import SYSTEM_FIELDS, short, system_report

ADDRESS, PERMALINKS, KEYS, RIGHTS = "address", "permalinks", "keys", "rights"
MOST_LOOKED_AT = 40_000
SIGNS = {
    "Wordfence": ("wordfence",),
    "Sucuri": ("x-sucuri-id", "sucuri"),
    "Imunify360": ("imunify360",),
    "Solid Security": ("ithemes-security", "itsec"),
    "All In One Security": ("aiowps", "all in one wp security"),
    "WP Cerber": ("cerber",),
    "NinjaFirewall": ("ninjafirewall",),
    "Shield Security": ("shield security", "wp-simple-firewall"),
    "SiteGround": ("sg-captcha", "sgcaptcha"),
    "ModSecurity": ("mod_security", "modsecurity", "not acceptable!"),
    "Incapsula": ("incapsula", "x-iinfo"),
    "AWS WAF": ("x-amzn-waf-action",),
    "Cloudflare": ("cf-mitigated", "cloudflare", "cf-ray"),
}
"""By what a page or its headers give away who made it."""
_CANNOT = "woocommerce_rest_cannot_"
_READ_WORDS, _WRITE_WORDS = "read permissions", "write permissions"


class _Index(msgspec.Struct):
    """WordPress's index, as far as it tells which programs answer."""

    namespaces: list[str]


def no_answer(error: PlatformError) -> Check:
    """Nothing came back at all, or the call could not be sent."""
    if isinstance(error, UntrustedError):
        return Check(ADDRESS, Verdict.BAD, (error.fault,), "certificate")
    return Check(ADDRESS, Verdict.BAD, (str(error)[:120],), "not_called" if isinstance(error, Rejected) else "unreachable")


def obstacle(call: Call, answer: Answer) -> Check:
    """Why the system status was not given. Asks the store once or twice more, to tell one cause from another."""
    error = error_of(answer)
    code = str(error.code) if error else ""
    if answer.status == 429:
        return Check(ADDRESS, Verdict.BAD, _named(answer), "busy")
    if error is None:
        return _page(call, answer)
    if code == "rest_no_route":
        return Check(PERMALINKS, Verdict.BAD, cause="no_woocommerce")
    if _READ_WORDS in error.message:
        return Check(RIGHTS, Verdict.BAD, cause="no_read")
    if answer.status == 403 and code.startswith(_CANNOT):
        return Check(RIGHTS, Verdict.BAD, cause="owner")
    if code.startswith("woocommerce_rest_"):
        return _refused_keys(call)
    if answer.status >= 500:
        return Check(ADDRESS, Verdict.BAD, (str(answer.status),), "broken")
    return Check(ADDRESS, Verdict.BAD, (short(code), *_named(answer)), "closed")


def write_obstacle(answer: Answer) -> Check | None:
    """Why a call that would have written nothing was not let through; None if it was."""
    if 200 <= answer.status < 300:
        return None
    error = error_of(answer)
    code = str(error.code) if error else ""
    if answer.status == 429 or answer.status >= 500:
        return Check(RIGHTS, Verdict.UNKNOWN, (str(answer.status),))
    if error is None:
        return Check(RIGHTS, Verdict.BAD, (str(answer.status), *_named(answer)), "write_wall")
    if _WRITE_WORDS in error.message or code == "woocommerce_rest_authentication_error":
        return Check(RIGHTS, Verdict.BAD, cause="read_only")
    if code.startswith(_CANNOT):
        return Check(RIGHTS, Verdict.BAD, cause="owner")
    return Check(RIGHTS, Verdict.UNKNOWN, (short(code),))


def _refused_keys(call: Call) -> Check:
    """Keys in the header were not taken: either nobody knows them, or a web server has taken the header away."""
    keys = call.access.credentials
    if keys.get("auth", HEADER) != HEADER:
        return Check(KEYS, Verdict.BAD, cause="dead")
    other = replace(call, access=replace(call.access, credentials={**keys, "auth": QUERY}))
    try:
        answer = ask(other, "system_status", "GET", "wc/v3/system_status", params={"_fields": SYSTEM_FIELDS})
    except PlatformError:
        return Check(KEYS, Verdict.BAD, cause="dead")
    is_taken = answer.status == 200 and system_report(answer) is not None
    return Check(KEYS, Verdict.BAD, cause="stripped" if is_taken else "dead")


def _page(call: Call, answer: Answer) -> Check:
    """What came is no answer of WordPress's REST API."""
    status = str(answer.status)
    if 300 <= answer.status < 400:
        return Check(ADDRESS, Verdict.BAD, (_leads_to(call, answer),), "redirect")
    if answer.status == 401 or "www-authenticate" in answer.headers:
        return Check(ADDRESS, Verdict.BAD, cause="password")
    if answer.status in (404, 410):
        return _no_such_page(call)
    if answer.status == 503:
        return Check(ADDRESS, Verdict.BAD, cause="maintenance")
    if answer.status >= 500:
        return Check(ADDRESS, Verdict.BAD, (status,), "broken")
    return Check(ADDRESS, Verdict.BAD, (status, *_named(answer)), "wall")


def _no_such_page(call: Call) -> Check:
    """Pages of the REST API have no addresses of their own while permalinks are plain; it answers at ?rest_route= then."""
    scheme = "http" if call.access.credentials.get("scheme") == "http" else "https"
    url = f"{scheme}://{call.access.domain}/"
    try:
        answer = call.transport.send(PLATFORM, "index_plain", "GET", url, params={"rest_route": "/", "_fields": "namespaces"})
        decoding.decode(answer.body, _Index)
    except (PlatformError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Check(ADDRESS, Verdict.BAD, cause="no_wordpress")
    return Check(PERMALINKS, Verdict.BAD, cause="plain")


def _leads_to(call: Call, answer: Answer) -> str:
    """The address that a redirect names, without what stands behind its path's /wp-json/ or a question mark."""
    base = f"https://{call.access.domain}/wp-json/"
    try:
        parts = urlsplit(urljoin(base, answer.headers.get("location", "")))
    except ValueError:
        return "?"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.partition('/wp-json/')[0]}".rstrip("/")[:200]


def _named(answer: Answer) -> tuple[str, ...]:
    """Who made a page, if it says so."""
    head = " ".join(f"{name}: {value}" for name, value in answer.headers.items() if name not in ("date", "content-length", "link"))
    seen = f"{head} {answer.body[:MOST_LOOKED_AT].decode('utf-8', 'replace')}".lower()
    return tuple(name for name, signs in SIGNS.items() if any(sign in seen for sign in signs))[:1]
