"""The letters to owners about their offers: what happened, why, and what helps."""

import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

import pytest

from connector.errors import Refused
from connector.messages.offer_letters import ENDING, ENGLISH, FRENCH, SUSPENDED, OfferNews, offer_letter
from connector.messages.templates import Rendered
from connector.rules.discounts import Ineligible
from connector.rules.offers import Requirement, Suspension

URL = "https://connector.test/app/shops/shp_1/offers/ofr_1"
ENDS_AT = datetime(2026, 11, 30, 13, 0, tzinfo=UTC)
EVERY_REASON = [
    *((reason.value, "") for reason in Suspension),
    ("code_refused", "Title has already been taken"),
    *(("requirements", requirement.value) for requirement in Requirement),
    *(("unsupported_type", why.value) for why in Ineligible if why.value.startswith(("wrong", "restricted"))),
]


class Hrefs(HTMLParser):
    """All links and tags of a mail."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str | None] = []
        self.tags: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note it."""
        self.tags.add(tag)
        if tag == "a":
            self.found.append(dict(attrs).get("href"))


def suspended(reason: str, detail: str = "", language: str = "en", offer: str = "Merci") -> Rendered:
    return offer_letter(OfferNews(SUSPENDED, "Démo", offer, reason, detail), URL, language)


def ending(language: str = "en", ends_at: datetime | None = ENDS_AT) -> Rendered:
    return offer_letter(OfferNews(ENDING, "Démo", "Merci", ends_at=ends_at, zone=ZoneInfo("Europe/Paris")), URL, language)


def test_both_languages_have_the_same_words_to_fill() -> None:
    assert ENGLISH.keys() == FRENCH.keys()
    for key, text in ENGLISH.items():
        assert set(re.findall(r"\{(\w+)\}", text)) == set(re.findall(r"\{(\w+)\}", FRENCH[key])), key


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize(("reason", "detail"), EVERY_REASON)
def test_every_reason_is_told_in_words_of_its_own_with_a_link_to_the_offer(reason: str, detail: str, language: str) -> None:
    letter = suspended(reason, detail, language)
    assert "Merci" in letter.subject
    assert "Démo" in letter.subject
    assert Hrefs(letter.html).found == [URL]
    assert URL in letter.text
    words = ENGLISH if language == "en" else FRENCH
    key = detail if detail in words else f"{reason}.detail" if detail else reason
    sentence = words[key].format(detail=detail)
    assert sentence in letter.text
    keys = {key for pair in EVERY_REASON for key in pair}
    others = [text for other, text in words.items() if other in keys and text not in sentence]
    assert len(others) >= len(Suspension) + len(Requirement)
    assert not [text for text in others if text in letter.text]
    assert not re.search(r"\{\w*\}|\{\{|\{%", letter.text)
    assert f'lang="{language}"' in letter.html


@pytest.mark.parametrize("reason", [reason.value for reason in Suspension if reason is not Suspension.REQUIREMENTS])
def test_for_whatever_ails_the_code_a_new_one_is_asked_for(reason: str) -> None:
    assert "create a new discount code and add it to the offer" in suspended(reason).text
    assert "Créez un nouveau code de réduction et ajoutez-le à l’offre" in suspended(reason, language="fr").text


@pytest.mark.parametrize(
    ("requirement", "named", "nomme"),
    [
        ("connection", "connect the store again", "Reconnectez la boutique"),
        ("shop_open", "open the store again with its platform", "Rouvrez la boutique"),
        ("scopes", "grant all permissions", "accordant toutes les autorisations"),
        ("storefront", "open the store to visitors", "Ouvrez la boutique aux visiteurs"),
        ("sender", "set up the sending of e-mails", "configurer l’envoi des e-mails"),
        ("", "says what is missing", "indique ce qui manque"),
        ("weather", "says what is missing", "indique ce qui manque"),
    ],
)
def test_a_requirement_is_named_instead_and_no_new_code_is_asked_for(requirement: str, named: str, nomme: str) -> None:
    english, french = suspended("requirements", requirement), suspended("requirements", requirement, "fr")
    assert named in english.text
    assert nomme in french.text
    assert "the offer goes on by itself" in english.text
    assert "l’offre reprendra d’elle-même" in french.text
    assert "new discount code" not in english.text
    assert "nouveau code" not in french.text


@pytest.mark.parametrize(
    ("reason", "detail", "key"), [("weather", "", "code_refused"), ("unsupported_type", "weather", "unsupported_type")]
)
def test_a_reason_of_a_newer_version_is_told_as_the_nearest_one(reason: str, detail: str, key: str) -> None:
    assert ENGLISH[key] in suspended(reason, detail).text


def test_an_end_that_comes_near_is_told_in_the_time_of_the_shop() -> None:
    english, french = ending(), ending("fr")
    assert english.subject == "The offer “Merci” of Démo ends soon"
    assert "good until November 30, 2026, 2:00\u202fPM (CET)" in english.text
    assert "one click gives it a new code" in english.text
    assert "valable jusqu’au 30 novembre 2026 à 14:00 (CET)" in french.text
    assert "un clic suffit" in french.text
    assert Hrefs(english.html).found == [URL]


def test_an_end_with_its_day_names_the_day_alone() -> None:
    assert "good until November 30, 2026. Then" in ending(ends_at=datetime(2026, 11, 30, 23, 0, tzinfo=UTC)).text


def test_what_merchants_and_stores_wrote_stays_words() -> None:
    evil = '<script>alert(1)</script> {{ 7 | times: 7 }} {shop} "Co" & Söhne\r\nBcc: x@y.z ' + "x" * 500
    for letter in (suspended("code_refused", evil), suspended("code_deleted", offer=evil)):
        assert "\n" not in letter.subject
        assert len(letter.subject) <= 200
        assert "script" not in Hrefs(letter.html).tags
        assert "&lt;script&gt;" in letter.html
        assert "{shop}" in letter.text


def test_a_cause_without_words_is_refused() -> None:
    with pytest.raises(Refused, match="no words"):
        offer_letter(OfferNews("weather", "Démo", "Merci"), URL, "en")
