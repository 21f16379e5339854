"""Our own mails: what they say, in both languages, and that nothing in them can act."""

import re
from html.parser import HTMLParser

import pytest

from connector.errors import Refused
from connector.messages.letters import CAUSES, ENGLISH, FRENCH, invitation_letter, notice_letter, preview_letter, sign_in_letter
from connector.messages.reminder import compose_reminder, sample_content
from connector.messages.templates import Rendered

LINK = "https://connector.test/sign-in/abc?next=%2Fapp%2Fkeys"
NASTY = '<script>alert(1)</script> {{ 7 | times: 7 }} "Co" & Söhne\r\nBcc: x@y.z'


class Links(HTMLParser):
    """All links and tags of a mail."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.hrefs: list[str | None] = []
        self.tags: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note it."""
        self.tags.add(tag)
        if tag == "a":
            self.hrefs.append(dict(attrs).get("href"))


def all_letters(language: str, name: str = "Démo") -> list[Rendered]:
    return [
        sign_in_letter(language, [(name, LINK)], 15),
        sign_in_letter(language, [(name, LINK), ("Second", LINK + "2")], 15),
        invitation_letter(language, name, LINK),
        *(notice_letter(cause, name, LINK, language) for cause in sorted(CAUSES)),
    ]


def test_both_languages_have_the_same_words_to_fill() -> None:
    assert ENGLISH.keys() == FRENCH.keys()
    for key, text in ENGLISH.items():
        assert set(re.findall(r"\{(\w+)\}", text)) == set(re.findall(r"\{(\w+)\}", FRENCH[key])), key
    assert all(text.strip() == text and text for text in [*ENGLISH.values(), *FRENCH.values()])


@pytest.mark.parametrize("language", ["en", "fr"])
def test_every_letter_has_its_link_in_both_parts_and_no_hole_in_its_words(language: str) -> None:
    for letter in all_letters(language):
        assert letter.subject
        assert LINK in Links(letter.html).hrefs
        assert LINK in letter.text
        for part in (letter.subject, letter.text, letter.html):
            assert not re.search(r"\{\w*\}|\{\{|\{%", part.split("</head>")[-1])
        assert f'lang="{language}"' in letter.html


def test_a_sign_in_letter_has_a_link_for_each_account_and_says_how_long_it_is_good() -> None:
    letter = sign_in_letter("en-GB", [("First", LINK), ("Second", LINK + "2")], 15)
    assert Links(letter.html).hrefs == [LINK, LINK + "2"]
    assert [letter.text.index(part) for part in ("Sign in to First", LINK, "Sign in to Second", LINK + "2")] == sorted(
        letter.text.index(part) for part in ("Sign in to First", LINK, "Sign in to Second", LINK + "2")
    )
    assert "15 minutes" in letter.text
    assert "several accounts" in letter.text
    assert "several accounts" not in sign_in_letter("en", [("First", LINK)], 15).text


def test_french_readers_get_french_and_others_english() -> None:
    assert sign_in_letter("fr-CA", [("A", LINK)], 15).subject == "Votre lien de connexion"
    assert sign_in_letter("de", [("A", LINK)], 15).subject == "Your sign-in link"
    assert notice_letter("needs_sign_in", "Démo", LINK, "").subject == "Démo is no longer connected"


@pytest.mark.parametrize("language", ["en", "fr"])
def test_names_that_merchants_chose_stay_words(language: str) -> None:
    for letter in all_letters(language, NASTY):
        assert "\n" not in letter.subject
        assert "script" not in Links(letter.html).tags
        assert "&lt;script&gt;" in letter.html
        assert len(letter.subject) <= 200


def test_a_notice_without_words_is_refused() -> None:
    with pytest.raises(Refused, match="no words"):
        notice_letter("weather", "Démo", LINK, "en")


@pytest.mark.parametrize(("language", "says"), [("en", "This is a test"), ("fr", "Ceci est un test")])
def test_a_preview_is_the_reminder_itself_marked_as_a_test_at_its_top(language: str, says: str) -> None:
    reminder = compose_reminder(sample_content(language))
    preview = preview_letter(reminder, language)

    assert preview.subject == f"[Test] {reminder.subject}"
    assert preview.text.startswith(says)
    assert preview.text.endswith(reminder.text)
    head, body = re.split(r"<body[^>]*>", preview.html)
    assert body.startswith('<div role="note"')
    assert says in body[:400]
    assert head in reminder.html
    assert re.split(r"<body[^>]*>", reminder.html)[1] in body
