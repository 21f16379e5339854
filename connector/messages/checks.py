"""
What a merchant's template may contain, checked before any library sees it.

Two measured facts make this necessary: python-liquid's lexer needs quadratic time for openings that are never closed
(4,000 times `{{` took 3 s), and mrml's recursion ends the whole process at about a thousand nested elements. Every
check here is linear, and its message names the line the merchant has to look at.
"""

import re
from html.parser import HTMLParser

from connector.errors import ConnectorError

MAX_SOURCE = 60_000
MAX_HTML = 400_000
MAX_CONSTRUCTS = 1_000
MAX_CONSTRUCT = 200
MAX_DEPTH = 40
MAX_TAGS = 2_000

# Word lists are easier to read than lists of quoted words.
ALLOWED_LIQUID = frozenset("if elsif else endif unless endunless case when endcase for endfor break continue".split())  # noqa: SIM905
ALLOWED_HTML = frozenset(
    "html head title meta link style body div span p a img br hr table thead tbody tfoot tr td th caption col colgroup "  # noqa: SIM905
    "b strong i em u s small sub sup h1 h2 h3 h4 h5 h6 ul ol li dl dt dd blockquote center font pre code abbr".split()
)
URL_ATTRIBUTES = frozenset(("href", "src", "background", "action", "cite", "srcset", "poster", "data"))

_OPENING = re.compile(r"\{\{|\{%")
_TAG_NAME = re.compile(r"-?\s*(\w*)")
_TEXT_LITERAL = re.compile(r"\"[^\"]*\"|'[^']*'")
_RANGE_LOOP = re.compile(r"-?\s*for\s+\w+\s+in\s*\([^()]*\.\.[^()]*\)[^.]*")
_LITERAL_LOOP = re.compile(r"-?\s*for\s+\w+\s+in\s*''")
_MARKUP = re.compile(r"<(/?)([A-Za-z][\w:-]*)((?:\s+[\w:-]+\s*=\s*(?:\"[^\"<]*\"|'[^'<]*'))*)\s*(/?)>")
_ATTRIBUTE_NAME = re.compile(r"[a-z][a-z0-9:_-]*")
# A link starts with a scheme that cannot run anything, or is one whole variable whose name ends in `_url`:
# those are ours and known to be http(s). A product title must never decide where a click goes.
_SAFE_URL = re.compile(r"\s*(?:https?://|mailto:|tel:|#|\{\{-?\s*[a-z_.]*_url\s*-?\}\}|$)", re.IGNORECASE)


class TemplateError(ConnectorError):
    """A template that cannot be used; the message names the place and, where there is one, the cure."""


def line_of(source: str, index: int) -> int:
    """The line, counted from 1, on which the character at `index` stands."""
    return source.count("\n", 0, index) + 1


def check_liquid(source: str, part: str) -> None:
    """
    Refuse Liquid that could hang the lexer or that we do not offer: unclosed or long constructs, tags outside the short
    list, ranges and texts where they could be blown up. `part` names the text in messages. Raises TemplateError.
    """
    if len(source) > MAX_SOURCE:
        raise TemplateError(f"{part}: longer than {MAX_SOURCE} characters")
    position = count = 0
    while opening := _OPENING.search(source, position):
        start = opening.start()
        where = f"{part}, line {line_of(source, start)}"
        closing = "}}" if opening.group() == "{{" else "%}"
        end = source.find(closing, start + 2, start + 2 + MAX_CONSTRUCT)
        inner = source[start + 2 : end]
        if end < 0 or _OPENING.search(inner):
            raise TemplateError(f"{where}: '{opening.group()}' is not closed by '{closing}' within {MAX_CONSTRUCT} characters")
        _check_construct(inner, closing == "%}", where)
        position, count = end + 2, count + 1
    if count > MAX_CONSTRUCTS:
        raise TemplateError(f"{part}: more than {MAX_CONSTRUCTS} variables and tags")


def _check_construct(inner: str, is_tag: bool, where: str) -> None:
    if re.search(r"\s{40}", inner):
        raise TemplateError(f"{where}: too many spaces inside a tag")
    name = _TAG_NAME.match(inner).group(1) if is_tag else ""  # type: ignore[union-attr]
    if is_tag and name not in ALLOWED_LIQUID:
        raise TemplateError(f"{where}: there is no tag '{name}' here; there are {', '.join(sorted(ALLOWED_LIQUID))}")
    bare = _TEXT_LITERAL.sub("''", inner)
    if ".." in bare and not _RANGE_LOOP.fullmatch(bare):
        raise TemplateError(f"{where}: a range such as (1..3) may only stand after 'in' of a 'for'")
    if _LITERAL_LOOP.match(bare):
        raise TemplateError(f"{where}: 'for' goes over a list or a range, not over a text")


def strip_comments(mjml: str) -> str:
    """The source without `<!-- -->`: browsers and parsers disagree where odd ones end, so none is passed on. Line numbers stay."""
    kept: list[str] = []
    position = 0
    while (start := mjml.find("<!--", position)) >= 0:
        end = mjml.find("-->", start + 4)
        if end < 0:
            raise TemplateError(f"MJML, line {line_of(mjml, start)}: the comment is not closed by '-->'")
        kept += (mjml[position:start], "\n" * mjml.count("\n", start, end))
        position = end + 3
    return "".join((*kept, mjml[position:]))


def check_markup(mjml: str) -> None:
    """
    Refuse MJML (without comments) whose tags are not well formed, not closed, nested too deeply, or load other files.

    Raises TemplateError with the line; mrml's own messages have none.
    """
    open_tags: list[tuple[str, int]] = []
    position = count = 0
    while (start := mjml.find("<", position)) >= 0:
        where = f"MJML, line {line_of(mjml, start)}"
        tag = _MARKUP.match(mjml, start)
        if tag is None:
            raise TemplateError(
                f"{where}: '{_excerpt(mjml, start)}' is not a complete tag; attributes need quotes (other ones than the texts "
                "inside them), and a '<' that is no tag is written &lt;"
            )
        _check_name(tag, open_tags, where)
        position, count = tag.end(), count + 1
        if count > MAX_TAGS or len(open_tags) > MAX_DEPTH:
            raise TemplateError(f"{where}: more than {MAX_TAGS} tags or {MAX_DEPTH} levels")
    if open_tags:
        name, line = open_tags[-1]
        raise TemplateError(f"MJML, line {line}: <{name}> is never closed; an empty one is written <{name}/>")


def _check_name(tag: re.Match[str], open_tags: list[tuple[str, int]], where: str) -> None:
    closes, name, _attributes, is_empty = tag.groups()
    if name.lower() == "mj-include":
        raise TemplateError(f"{where}: mj-include is not available; put the text here")
    if closes:
        if not open_tags or open_tags[-1][0] != name:
            opened = f"; <{open_tags[-1][0]}> of line {open_tags[-1][1]} is still open" if open_tags else ""
            raise TemplateError(f"{where}: </{name}> closes nothing{opened}")
        open_tags.pop()
    elif not is_empty:
        open_tags.append((name, line_of(tag.string, tag.start())))


def check_html(html: str, mjml: str) -> None:
    """
    Refuse compiled HTML with anything that could act: scripts, frames, forms, event handlers, links that run something.

    `mjml` is only searched for the line to name. Raises TemplateError.
    """
    if len(html) > MAX_HTML:
        raise TemplateError(f"MJML: becomes more than {MAX_HTML} characters of HTML")
    _Inspector(mjml).feed(html)


class _Inspector(HTMLParser):
    """Reads HTML as a browser does and objects to what is not on the list."""

    def __init__(self, mjml: str) -> None:
        super().__init__(convert_charrefs=True)
        self._mjml = mjml

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ALLOWED_HTML:
            raise TemplateError(f"{self._where(f'<{tag}')}: <{tag}> is not available in an e-mail")
        for name, value in attrs:
            if name.startswith("on") or not _ATTRIBUTE_NAME.fullmatch(name):
                raise TemplateError(f"{self._where(name)}: the attribute '{name}' of <{tag}> is not available in an e-mail")
            if name in URL_ATTRIBUTES and not _SAFE_URL.match(value or ""):
                raise TemplateError(
                    f"{self._where(value or '')}: the {name} of <{tag}> must start with https://, http://, mailto: or tel:, "
                    "or be one variable whose name ends in _url"
                )
            if tag == "meta" and name == "http-equiv" and (value or "").strip().lower() == "refresh":
                raise TemplateError(f"{self._where(name)}: <meta http-equiv='refresh'> is not available in an e-mail")

    def _where(self, needle: str) -> str:
        index = self._mjml.lower().find(needle.lower())
        return f"MJML, line {line_of(self._mjml, index)}" if index >= 0 else "MJML"


def _excerpt(source: str, start: int) -> str:
    return source[start : start + 30].split("\n")[0]
