"""
The words of our pages in the reader's language.

English texts are the keys; `locale/<language>/*.po` hold the others and are read as they are, so nothing is compiled. A test takes
every text out of templates and modules and fails for one that has no translation.
"""

import gettext
from functools import cache
from pathlib import Path

from babel import negotiate_locale
from babel.messages.pofile import read_po
from fastapi import Request

DEFAULT = "en"
LANGUAGES = {"en": "English", "fr": "Français"}
LOCALES = Path(__file__).parent / "locale"
COOKIE = "language"
MOST_HEADER = 200


def N_(text: str) -> str:  # noqa: N802 - the name that everybody gives it
    """Mark a text for translation where it is written; it is translated where it is shown."""
    return text


class Translator(gettext.NullTranslations):
    """One language. `gettext` and `ngettext` answer in it, in English where a text has no translation."""

    def __init__(self, language: str) -> None:
        super().__init__()
        self.language = language
        self._texts: dict[str, str] = {}
        self._plurals: dict[str, tuple[str, ...]] = {}
        self._form = gettext.c2py(_PLURALS[language])
        for path in sorted((LOCALES / language).glob("*.po")):
            self._read(path)

    def gettext(self, message: str) -> str:
        """The text in this language."""
        return self._texts.get(message, message)

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        """The text for `n` things; the reader's language decides how many forms there are."""
        forms = self._plurals.get(msgid1)
        if forms is None:
            return msgid1 if n == 1 else msgid2
        return forms[self._form(n)]

    def keys(self) -> list[str]:
        """Every English text that is translated."""
        return [*self._texts, *self._plurals]

    def has(self, message: str) -> bool:
        """Whether the text is translated."""
        return message in self._texts or message in self._plurals

    def forms(self, message: str) -> tuple[str, ...]:
        """What the text may be shown as."""
        return (self._texts[message],) if message in self._texts else self._plurals.get(message, ())

    def _read(self, path: Path) -> None:
        with path.open("rb") as file:
            for message in read_po(file, locale=self.language, domain=path.stem):
                if not message.id or message.fuzzy:
                    continue
                forms = (message.string,) if isinstance(message.string, str) else tuple(message.string or ())
                if not all(forms):
                    continue
                if isinstance(message.id, str):
                    self._texts[message.id] = forms[0]
                else:
                    self._plurals[message.id[0]] = forms


@cache
def translator(language: str) -> Translator:
    """The translator of one of LANGUAGES."""
    return Translator(language if language in LANGUAGES else DEFAULT)


def language_of(request: Request) -> str:
    """What the reader chose on our pages, else what their browser asks for, else English."""
    chosen = request.cookies.get(COOKIE, "")
    return chosen if chosen in LANGUAGES else accepted(request.headers.get("accept-language", ""))


def accepted(header: str) -> str:
    """The best of our languages for an Accept-Language header."""
    wanted = sorted((_weighed(part) for part in header[:MOST_HEADER].split(",")), key=lambda pair: -pair[0])
    return negotiate_locale([tag for weight, tag in wanted if weight > 0], list(LANGUAGES), sep="-") or DEFAULT


def _weighed(part: str) -> tuple[float, str]:
    tag, _, weight = part.strip().partition(";q=")
    try:
        return (float(weight) if weight else 1.0), tag.strip().lower()
    except ValueError:
        return 0.0, tag


# The rules of the languages we write in, as gettext spells them.
_PLURALS = {"en": "n != 1", "fr": "n > 1"}
