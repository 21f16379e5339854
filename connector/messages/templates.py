"""
Templates: checked and compiled when a merchant saves them, filled for each recipient.

MJML becomes HTML once, with the Liquid left inside; only the Liquid runs per message.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import mrml

from connector.messages import engine
from connector.messages.checks import TemplateError, check_html, check_liquid, check_markup, line_of, strip_comments

__all__ = ["CompiledTemplate", "Rendered", "TemplateError", "compile_template", "render"]

SUBJECT = "subject"
MJML = "MJML"
HTML = "HTML"
TEXT = "text"
MAX_SUBJECT = 200

# Everything that is no printable character, tab or line end; lone surrogates cannot be encoded and would stop the sending.
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class CompiledTemplate:
    """A template that passed every check: three Liquid texts, the second one HTML. Can be stored as JSON."""

    subject: str
    html: str
    text: str


@dataclass(frozen=True, slots=True)
class Rendered:
    """One composed message: a subject of one line, a whole HTML document, the same in plain text."""

    subject: str
    html: str
    text: str


def compile_template(subject: str, mjml: str, text: str) -> CompiledTemplate:
    """
    Check a template and compile its MJML, keeping the Liquid for `render`.

    Raises TemplateError, naming part and line, for Liquid that does not parse, unknown tags and filters, ranges outside
    `for`, mj-include, markup that is not well formed, and HTML that could act (script, frames, forms, handlers).
    """
    subject, mjml, text = (printable(part) for part in (subject, mjml, text))
    for part, source in ((SUBJECT, subject), (MJML, mjml), (TEXT, text)):
        check_liquid(source, part)
        # The MJML source too, although only its HTML is used: here the line is still the merchant's.
        engine.check_filters(source, part)
    _check_comparisons(mjml)
    html = _to_html(mjml)
    engine.parse(html, HTML, escapes=True)
    return CompiledTemplate(subject=subject, html=html, text=text)


def render(compiled: CompiledTemplate, variables: Mapping[str, object]) -> Rendered:
    """
    Fill a compiled template with plain values: text, whole numbers, lists and dicts of them.

    Values are escaped in HTML and left alone in subject and text. Raises TemplateError for a variable that does not
    exist or work beyond the limits, never anything else.
    """
    subject = engine.run(compiled.subject, SUBJECT, variables, escapes=False)
    return Rendered(
        subject=one_line(subject)[:MAX_SUBJECT].rstrip(),
        html=engine.run(compiled.html, HTML, variables, escapes=True),
        text=_tidy(engine.run(compiled.text, TEXT, variables, escapes=False)),
    )


def printable(text: str) -> str:
    """Text without control characters and lone surrogates; line ends become `\\n`."""
    return _UNPRINTABLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def one_line(text: str) -> str:
    """Printable text on one line, runs of white space as one space: nothing in it can start another header."""
    return " ".join(printable(text).split())


def _check_comparisons(mjml: str) -> None:
    for construct in re.finditer(r"\{[{%][^{}%]*<", mjml):
        line = line_of(mjml, construct.start())
        raise TemplateError(f"{MJML}, line {line}: '<' cannot stand inside Liquid in MJML; a comparison can swap its sides and use '>'")


def _to_html(mjml: str) -> str:
    source = strip_comments(mjml)
    check_markup(source)
    try:
        html: str = mrml.to_html(source).content
    except OSError as error:
        # mrml reports what it cannot read as OSError; it loads nothing, its default include loader only refuses.
        raise TemplateError(f"{MJML}: {error}") from error
    check_html(html, source)
    _check_survivors(source, html)
    return html


def _check_survivors(mjml: str, html: str) -> None:
    # The compiler silently drops texts between columns and sections, and Liquid with them.
    for construct in re.finditer(r"\{%.*?%\}|\{\{.*?\}\}", mjml, re.DOTALL):
        if construct.group() not in html:
            raise TemplateError(
                f"{MJML}, line {line_of(mjml, construct.start())}: {construct.group()} stands where it would be lost or changed; "
                "put it into a text or into <mj-raw>"
            )


def _tidy(text: str) -> str:
    """Plain text without spaces at line ends and without more than one empty line in a row."""
    lines = "\n".join(line.rstrip() for line in text.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", lines).strip() + "\n"
