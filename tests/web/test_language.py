"""Our pages in the reader's language: every text has its translation, and the right language is chosen."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.extract import extract_python
from jinja2.ext import babel_extract

from connector.web.language import LANGUAGES, LOCALES, accepted, translator
from connector.web.pages import TEMPLATES

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("connector/web", "connector/rules", "connector/store")
COMMAND_LINE = "connector/store/staff.py"  # what it refuses is read at a terminal only
KEYWORDS = {"_": None, "N_": None, "gettext": None, "ngettext": (1, 2), "Refused": None}


def texts() -> Iterator[tuple[str, str | tuple[str, ...]]]:
    """Every text that a page may show, with where it stands."""
    for path in sorted(TEMPLATES.glob("*.html")):
        with path.open("rb") as file:
            for line, _, message, _ in babel_extract(file, list(KEYWORDS), [], {"trimmed": "true", "newstyle_gettext": "true"}):
                yield f"{path.name}:{line}", message
    for folder in SOURCES:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if path == ROOT / COMMAND_LINE:
                continue
            with path.open("rb") as file:
                for line, _, message, _ in extract_python(file, list(KEYWORDS), [], {}):
                    yield f"{path.relative_to(ROOT)}:{line}", message


def messages() -> list[tuple[str, str, tuple[str, ...]]]:
    """(where, the key, all its English forms), without what holds no text."""
    found = []
    for where, message in texts():
        if message is None:
            continue
        forms = tuple(part for part in ((message,) if isinstance(message, str) else message) if part)
        if forms and any(letter.isalpha() for letter in forms[0]):
            found.append((where, forms[0], forms))
    return found


def test_texts_are_found_where_they_stand() -> None:
    keys = {key for _, key, _ in messages()}
    assert {"Sign in", "Nothing here", "%(num)d minute"} <= keys
    assert len(keys) > 150


@pytest.mark.parametrize("language", [code for code in LANGUAGES if code != "en"])
def test_every_text_has_its_translation(language: str) -> None:
    words = translator(language)
    missing = [f"{where}: {key}" for where, key, _ in messages() if not words.has(key)]
    assert missing == []


@pytest.mark.parametrize("language", [code for code in LANGUAGES if code != "en"])
def test_a_translation_fills_in_the_same_values(language: str) -> None:
    words = translator(language)
    slots = re.compile(r"%\([a-z_]+\)[sd]|[{][a-z_]+[}]")
    for where, key, forms in messages():
        wanted = {slot for form in forms for slot in slots.findall(form)}
        for text in words.forms(key):
            assert set(slots.findall(text)) <= wanted, where
            assert "%(num)d" in wanted or set(slots.findall(text)) == wanted, f"{where}: {text}"


@pytest.mark.parametrize("language", [code for code in LANGUAGES if code != "en"])
def test_no_translation_is_left_of_a_text_that_is_gone(language: str) -> None:
    keys = {key for _, key, _ in messages()}
    assert sorted(set(translator(language).keys()) - keys) == []


def test_every_template_extends_a_frame_or_is_one() -> None:
    for path in TEMPLATES.glob("*.html"):
        source = path.read_text()
        assert "style=" not in source, path.name
        assert re.search(r"\son[a-z]+=", source) is None, path.name
        assert "<script>" not in source, path.name


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("fr", "fr"),
        ("fr-CA,fr;q=0.9,en;q=0.8", "fr"),
        ("de-DE,de;q=0.9,fr;q=0.5,en;q=0.3", "fr"),
        ("en-GB,en;q=0.9,fr;q=0.8", "en"),
        ("en;q=0.1,fr;q=0.7", "fr"),
        ("fr;q=0", "en"),
        ("de", "en"),
        ("*", "en"),
        ("fr;q=x", "en"),
        (",,;;", "en"),
        ("../../etc", "en"),
        ("x" * 5000, "en"),
    ],
)
def test_the_best_of_our_languages_is_chosen(header: str, language: str) -> None:
    assert accepted(header) == language


def test_one_and_many_follow_the_language() -> None:
    english, french = translator("en"), translator("fr")
    assert [english.ngettext("%(num)d minute", "%(num)d minutes", n) for n in (0, 1, 2)] == [
        "%(num)d minutes",
        "%(num)d minute",
        "%(num)d minutes",
    ]
    assert [french.ngettext("%(num)d minute", "%(num)d minutes", n) for n in (0, 1, 2)] == [
        "%(num)d minute",
        "%(num)d minute",
        "%(num)d minutes",
    ]
    assert french.ngettext("%(num)d hour", "%(num)d hours", 1) == "%(num)d heure"


def test_an_unknown_language_is_english() -> None:
    assert translator("tlh").gettext("Sign in") == "Sign in"
    assert sorted(path.name for path in LOCALES.iterdir()) == [code for code in sorted(LANGUAGES) if code != "en"]


def test_no_module_shows_a_formatted_text_as_key() -> None:
    """`N_(f"…")` would look for a text that no catalogue can hold."""
    for folder in SOURCES:
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "N_":
                    assert all(isinstance(argument, ast.Constant) for argument in node.args), f"{path}:{node.lineno}"
