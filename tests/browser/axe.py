"""
What is hard to use for people with a keyboard, a screen reader or poor sight, as axe-core sees it.

Chromium carries axe-core inside its own developer tools; it is read from there, so that nothing has to be fetched or kept here.
"""

import re
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Browser, Page

BUNDLE = "devtools://devtools/bundled/third_party/lighthouse/lighthouse-dt-bundle.js"
TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
GRAVE = ("serious", "critical")
RUN = """async (tags) => {
  const found = await axe.run(document, { runOnly: { type: "tag", values: tags }, resultTypes: ["violations"] });
  return found.violations.map((one) => ({
    rule: one.id, impact: one.impact, help: one.help,
    where: one.nodes.map((node) => node.target.join(" ") + "  " + node.any.concat(node.all, node.none).map((c) => c.message).join("; ")),
  }));
}"""


@dataclass(frozen=True, slots=True)
class Violation:
    """One rule that a page breaks, and where."""

    rule: str
    impact: str
    help: str
    where: tuple[str, ...]


def axe_source(browser: Browser) -> str:
    """The text of axe-core out of the browser's own files."""
    page = browser.new_page()
    try:
        answer = page.goto(BUNDLE)
        assert answer is not None
        text = answer.text()
        begin = text.index("`/*! axe v")
        literal = re.compile(r"`(?:[^`\\]|\\.)*`", re.DOTALL).match(text, begin)
        assert literal is not None, "axe-core is not where it was in this Chromium"
        source = page.evaluate(literal.group())
    finally:
        page.close()
    assert isinstance(source, str)
    return source


def violations(page: Page, source: str) -> list[Violation]:
    """Everything that axe finds in the page as it is now. The script is put in past the page's own policy, which stays as it is."""
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(source)
    found: list[dict[str, Any]] = page.evaluate(RUN, list(TAGS))
    return [Violation(one["rule"], one["impact"] or "", one["help"], tuple(one["where"])) for one in found]


def grave(found: list[Violation]) -> list[Violation]:
    """Those that shut people out."""
    return [one for one in found if one.impact in GRAVE]
