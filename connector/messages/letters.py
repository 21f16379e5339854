"""
The mails that we send to members ourselves: sign-in links, invitations, what owners must know; and the test of a reminder.

They come from us, not from a store, and hold nothing about a shopper.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files

from connector.errors import Refused
from connector.messages import engine
from connector.messages.phrases import phrase_language
from connector.messages.templates import CompiledTemplate, Rendered, compile_template, one_line, render

MAX_NAME = 80
TEST_MARK = "[Test] "

ENGLISH: Mapping[str, str] = {
    "reason": "This e-mail was sent by Connector, the service that wins back abandoned carts for your store.",
    "sign_in.subject": "Your sign-in link",
    "sign_in.headline": "Sign in to Connector",
    "sign_in.intro": "Use this link in the browser in which you asked for it. It works once, for {minutes} minutes.",
    "sign_in.intro_many": (
        "You are a member of several accounts. Use the link of the one you want, in the browser in which you asked for it. "
        "Each works once, for {minutes} minutes."
    ),
    "sign_in.link": "Sign in to {account}",
    "sign_in.line": "If you did not ask for this, you can ignore this e-mail: without the link nobody gets in.",
    "invitation.subject": "You were invited to {account}",
    "invitation.headline": "You were invited to {account}",
    "invitation.intro": "You can now follow the abandoned carts of {account}. Sign in with this e-mail address; there is no password.",
    "invitation.link": "Go to sign-in",
    "invitation.line": "If you do not know {account}, you can ignore this e-mail.",
    "needs_sign_in.subject": "{shop} is no longer connected",
    "needs_sign_in.headline": "{shop} must be connected again",
    "needs_sign_in.intro": "The store no longer accepts our access. Until it is connected again, no reminders are sent for it.",
    "needs_sign_in.link": "Connect {shop} again",
    "suspended.subject": "Reminders of {shop} are suspended",
    "suspended.headline": "Reminders of {shop} are suspended",
    "suspended.intro": "We stopped sending for this store. Its page says why, and what helps.",
    "suspended.link": "Open {shop}",
    "gap_found.subject": "Data of {shop} was missing",
    "gap_found.headline": "We found a gap in what {shop} sent us",
    "gap_found.intro": "Some carts or orders did not reach us when they should have. The store’s page says what was missing.",
    "gap_found.link": "Open {shop}",
    "data_request_ready.subject": "A data request for {shop} is ready",
    "data_request_ready.headline": "A data request for {shop} is ready",
    "data_request_ready.intro": "A customer asked what is kept about them. The answer is ready for you to pass on.",
    "data_request_ready.link": "See the request",
    "test.note": "This is a test, sent to you only. No shopper gets it.",
}

FRENCH: Mapping[str, str] = {
    "reason": "Cet e-mail vous est envoyé par Connector, le service qui relance les paniers abandonnés de votre boutique.",
    "sign_in.subject": "Votre lien de connexion",
    "sign_in.headline": "Connexion à Connector",
    "sign_in.intro": (
        "Ouvrez ce lien dans le navigateur avec lequel vous l’avez demandé. Il fonctionne une seule fois, pendant {minutes} minutes."
    ),
    "sign_in.intro_many": (
        "Vous êtes membre de plusieurs comptes. Ouvrez le lien du compte voulu, dans le navigateur avec lequel vous l’avez demandé. "
        "Chaque lien fonctionne une seule fois, pendant {minutes} minutes."
    ),
    "sign_in.link": "Se connecter à {account}",
    "sign_in.line": "Si vous n’avez rien demandé, ignorez cet e-mail : sans le lien, personne ne peut se connecter.",
    "invitation.subject": "Vous êtes invité(e) à rejoindre {account}",
    "invitation.headline": "Vous êtes invité(e) à rejoindre {account}",
    "invitation.intro": (
        "Vous pouvez désormais suivre les paniers abandonnés de {account}. Connectez-vous avec cette adresse e-mail, sans mot de passe."
    ),
    "invitation.link": "Aller à la page de connexion",
    "invitation.line": "Si {account} ne vous dit rien, ignorez cet e-mail.",
    "needs_sign_in.subject": "{shop} n’est plus connectée",
    "needs_sign_in.headline": "{shop} doit être reconnectée",
    "needs_sign_in.intro": (
        "La boutique n’accepte plus notre accès. Tant qu’elle n’est pas reconnectée, aucune relance n’est envoyée pour elle."
    ),
    "needs_sign_in.link": "Reconnecter {shop}",
    "suspended.subject": "Les relances de {shop} sont suspendues",
    "suspended.headline": "Les relances de {shop} sont suspendues",
    "suspended.intro": "Nous avons arrêté les envois de cette boutique. Sa page en donne la raison et la solution.",
    "suspended.link": "Ouvrir {shop}",
    "gap_found.subject": "Des données de {shop} manquaient",
    "gap_found.headline": "Il manquait une partie des données de {shop}",
    "gap_found.intro": ("Des paniers ou des commandes ne nous sont pas parvenus à temps. La page de la boutique indique ce qui manquait."),
    "gap_found.link": "Ouvrir {shop}",
    "data_request_ready.subject": "Une demande d’accès aux données est prête pour {shop}",
    "data_request_ready.headline": "Une demande d’accès aux données est prête pour {shop}",
    "data_request_ready.intro": "Un client a demandé quelles données nous conservons à son sujet. La réponse est prête à être transmise.",
    "data_request_ready.link": "Voir la demande",
    "test.note": "Ceci est un test, envoyé à vous seul(e). Aucun client ne le reçoit.",
}

WORDS: Mapping[str, Mapping[str, str]] = {"en": ENGLISH, "fr": FRENCH}
CAUSES = frozenset({"needs_sign_in", "suspended", "gap_found", "data_request_ready"})


def sign_in_letter(language: str, links: Sequence[tuple[str, str]], minutes: int) -> Rendered:
    """The links that let a person in, one for each account: (its name, the link). They are good for so many minutes."""
    words = _words(language)
    intro = words["sign_in.intro" if len(links) == 1 else "sign_in.intro_many"].format(minutes=minutes)
    labelled = [(words["sign_in.link"].format(account=_name(account)), url) for account, url in links]
    return letter(language, words["sign_in.subject"], words["sign_in.headline"], intro, labelled, [words["sign_in.line"]])


def invitation_letter(language: str, account: str, url: str) -> Rendered:
    """Tell a person that they are a member of an account now. `url`: where they sign in."""
    words = {key: text.format(account=_name(account)) for key, text in _words(language).items() if key.startswith("invitation.")}
    link = (words["invitation.link"], url)
    return letter(
        language, words["invitation.subject"], words["invitation.headline"], words["invitation.intro"], [link], [words["invitation.line"]]
    )


def notice_letter(cause: str, shop: str, url: str, language: str) -> Rendered:
    """Tell an owner what happened to a shop. `url`: the shop's page. Raises Refused for a cause that has no words."""
    if cause not in CAUSES:
        raise Refused(f"there are no words for a notice about {cause}")
    words = {key: text.format(shop=_name(shop)) for key, text in _words(language).items() if key.startswith(f"{cause}.")}
    link = (words[f"{cause}.link"], url)
    return letter(language, words[f"{cause}.subject"], words[f"{cause}.headline"], words[f"{cause}.intro"], [link], [])


def preview_letter(reminder: Rendered, language: str) -> Rendered:
    """A composed reminder as a test of itself: marked in its subject, and a line on top says so."""
    note = _words(language)["test.note"]
    source = (files("connector.messages") / "templates" / "test_note.html").read_text(encoding="utf-8").strip()
    shown = engine.run(source, "HTML", {"note": note}, escapes=True)
    html = re.sub(r"<body\b[^>]*>", lambda body: body.group() + shown, reminder.html, count=1)
    return Rendered(TEST_MARK + reminder.subject, html, f"{note}\n\n{reminder.text}")


def letter(language: str, subject: str, headline: str, intro: str, links: Sequence[tuple[str, str]], lines: Sequence[str]) -> Rendered:
    """One of our letters: a headline, an introduction, a button for each link (its label, its address), more lines."""
    variables = {
        "language": phrase_language(language),
        "subject": subject,
        "headline": headline,
        "intro": intro,
        "links": [{"label": label, "page_url": url} for label, url in links],
        "lines": list(lines),
        "reason": _words(language)["reason"],
    }
    return render(_template(), variables)


@cache
def _template() -> CompiledTemplate:
    folder = files("connector.messages") / "templates"
    mjml, text = ((folder / name).read_text(encoding="utf-8") for name in ("letter.mjml", "letter.txt"))
    return compile_template("{{ subject }}", mjml, text)


def _words(language: str) -> Mapping[str, str]:
    return WORDS[phrase_language(language)]


def _name(text: str) -> str:
    """A name that a merchant or a store chose: one line, not endless."""
    line = one_line(text[:1000])
    return line if len(line) <= MAX_NAME else f"{line[: MAX_NAME - 1]}…"
