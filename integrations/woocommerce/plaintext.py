"""From the store's HTML to plain text, and from loose JSON values to clean text."""

import html
import re
from functools import lru_cache

from integrations.woocommerce.payloads import Text

MAX_HTML, SHORT = 20_000, 200
# Each pattern eats up to the end of the text when nothing closes it, so hostile input costs no more than its length.
_SILENT = re.compile(r"<!--.*?(?:-->|\Z)|<(script|style|template)\b.*?(?:</\1\s*>|\Z)", re.DOTALL | re.IGNORECASE)
_INLINE = re.compile(r"</?(?:a|abbr|b|bdi|em|i|mark|small|span|strong|sub|sup|u)(?:\s[^>]*)?(?:>|\Z)", re.IGNORECASE)
_TAG = re.compile(r"</?[a-z!?][^>]*(?:>|\Z)", re.IGNORECASE)


def text(value: Text) -> str | None:
    """A loose JSON value as trimmed text; null, "", true and false are None. NUL is dropped: no database text can hold it."""
    if type(value) is not str:
        if value is None or isinstance(value, bool):
            return None
        value = str(value)
    # Most texts have no NUL: to look is sooner done than to copy.
    return (value.replace("\x00", "") if "\x00" in value else value).strip() or None


def plain(value: Text, limit: int | None = None) -> str | None:
    """
    Text without tags and entities, spaces folded; None if nothing is left.

    `limit` counts characters, the ellipsis included. Comments, script and style are dropped; only the first 20,000
    characters are looked at.
    """
    if type(value) is str and len(value) <= SHORT:
        return _short(value, limit)
    return _plain(value, limit)


# The names of products, variations and ways of shipping are few and come with every order.
@lru_cache(2048)
def _short(value: str, limit: int | None) -> str | None:
    return _plain(value, limit)


def _plain(value: Text, limit: int | None) -> str | None:
    raw = text(value)
    if raw is None:
        return None
    raw = raw[:MAX_HTML]
    if "<" in raw:
        raw = _TAG.sub(" ", _INLINE.sub("", _SILENT.sub(" ", raw)))
    raw = html.unescape(raw)
    folded = " ".join(raw.replace("\x00", "").split())
    if limit is not None and len(folded) > limit:
        folded = folded[: limit - 1].rstrip() + "…"
    return folded or None
