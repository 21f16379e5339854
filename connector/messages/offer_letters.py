"""The letters to owners about their offers: suspended, and why, and what helps; or about to end. They hold nothing about a shopper."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from connector.errors import Refused
from connector.messages.letters import letter
from connector.messages.phrases import phrase_language
from connector.messages.templates import Rendered
from connector.messages.writing import cut, last_moment
from connector.rules.discounts import Ineligible
from connector.rules.offers import Requirement, Suspension

SUSPENDED, ENDING = "offer_suspended", "offer_ending"
OFFER_CAUSES = frozenset({SUSPENDED, ENDING})
MAX_NAME, MAX_DETAIL = 80, 300

ENGLISH: Mapping[str, str] = {
    "offer_suspended.subject": "The offer “{offer}” of {shop} is suspended",
    "offer_suspended.headline": "The offer “{offer}” is suspended",
    "offer_suspended.intro": "{why} Since then nobody new is given this offer.",
    "offer_suspended.link": "Open the offer",
    "offer_suspended.new_code": (
        "Please create a new discount code and add it to the offer: then it goes on. The old code does not bring it back."
    ),
    "offer_suspended.mend": "{helps} As soon as that is so, the offer goes on by itself; there is nothing else to do.",
    "offer_ending.subject": "The offer “{offer}” of {shop} ends soon",
    "offer_ending.headline": "The offer “{offer}” ends soon",
    "offer_ending.intro": "Its discount code is good until {end}. Then the offer is suspended, and nobody new is given it.",
    "offer_ending.link": "Replace the code",
    "offer_ending.line": "On the offer’s page one click gives it a new code with the same terms, before the old one ends.",
    "end_day": "{day}",
    "end_time": "{day}, {time}",
    "code_deleted": "Its discount code does not exist in the store any more.",
    "code_expired": "Its discount code has expired, or was switched off in the store.",
    "code_used_up": "Its discount code has been used as often as it may be.",
    "code_not_started": "Its discount code is not valid yet: its start was put off in the store.",
    "code_refused": "The store does not take its discount code.",
    "code_refused.detail": "The store does not take its discount code. It said: {detail}",
    "unsupported_type": "Its discount code is not good for every customer any more.",
    "wrong_kind": "Its discount code is of a kind that an offer cannot give: only a percentage, a fixed amount or free shipping can be.",
    "restricted_to_customers": "Its discount code is good for certain customers only.",
    "restricted_to_segments": "Its discount code is good for certain groups of customers only.",
    "restricted_to_markets": "Its discount code is good in certain markets only.",
    "restricted_to_products": "Its discount code is good for certain products or collections only.",
    "restricted_to_subscriptions": "Its discount code is good for subscriptions only.",
    "restricted_to_quantity": "Its discount code needs a certain number of items in the cart.",
    "restricted_to_emails": "Its discount code is good for certain e-mail addresses only.",
    "requirements": "The store lacks something that offers need.",
    "connection": "The store is no longer connected.",
    "connection.helps": "Please connect the store again.",
    "shop_open": "The store is closed, paused or frozen by its platform.",
    "shop_open.helps": "Please open the store again with its platform.",
    "scopes": "We lack permissions that codes need.",
    "scopes.helps": "Please connect the store once more and grant all permissions.",
    "storefront": "Visitors cannot get into the store: it is protected by a password, or says “coming soon”.",
    "storefront.helps": "Please open the store to visitors.",
    "sender": "No e-mail can be sent from here at this moment.",
    "sender.helps": "Please ask whoever runs this service to set up the sending of e-mails.",
    "requirements.helps": "The offer’s page says what is missing.",
}
FRENCH: Mapping[str, str] = {
    "offer_suspended.subject": "L’offre « {offer} » de {shop} est suspendue",
    "offer_suspended.headline": "L’offre « {offer} » est suspendue",
    "offer_suspended.intro": "{why} Depuis, plus personne ne reçoit cette offre.",
    "offer_suspended.link": "Ouvrir l’offre",
    "offer_suspended.new_code": (
        "Créez un nouveau code de réduction et ajoutez-le à l’offre : elle reprendra aussitôt. L’ancien code ne la relance pas."
    ),
    "offer_suspended.mend": "{helps} Dès que ce sera fait, l’offre reprendra d’elle-même, sans autre action de votre part.",
    "offer_ending.subject": "L’offre « {offer} » de {shop} prend bientôt fin",
    "offer_ending.headline": "L’offre « {offer} » prend bientôt fin",
    "offer_ending.intro": (
        "Son code de réduction est valable jusqu’au {end}. Ensuite, l’offre sera suspendue et plus personne ne la recevra."
    ),
    "offer_ending.link": "Remplacer le code",
    "offer_ending.line": (
        "Sur la page de l’offre, un clic suffit pour lui donner un nouveau code aux mêmes conditions, avant la fin de l’ancien."
    ),
    "end_day": "{day}",
    "end_time": "{day} à {time}",
    "code_deleted": "Son code de réduction n’existe plus dans la boutique.",
    "code_expired": "Son code de réduction a expiré, ou a été désactivé dans la boutique.",
    "code_used_up": "Son code de réduction a atteint son nombre maximal d’utilisations.",
    "code_not_started": "Son code de réduction n’est pas encore valable : son début a été repoussé dans la boutique.",
    "code_refused": "La boutique n’accepte pas son code de réduction.",
    "code_refused.detail": "La boutique n’accepte pas son code de réduction. Sa réponse : {detail}",
    "unsupported_type": "Son code de réduction n’est plus valable pour tous les clients.",
    "wrong_kind": (
        "Son code de réduction est d’un type qu’une offre ne peut pas donner : "
        "seuls un pourcentage, un montant fixe ou la livraison offerte conviennent."
    ),
    "restricted_to_customers": "Son code de réduction est réservé à certains clients.",
    "restricted_to_segments": "Son code de réduction est réservé à certains groupes de clients.",
    "restricted_to_markets": "Son code de réduction est réservé à certains marchés.",
    "restricted_to_products": "Son code de réduction est réservé à certains produits ou à certaines collections.",
    "restricted_to_subscriptions": "Son code de réduction est réservé aux abonnements.",
    "restricted_to_quantity": "Son code de réduction exige un certain nombre d’articles dans le panier.",
    "restricted_to_emails": "Son code de réduction est réservé à certaines adresses e-mail.",
    "requirements": "Il manque à la boutique une condition nécessaire aux offres.",
    "connection": "La boutique n’est plus connectée.",
    "connection.helps": "Reconnectez la boutique.",
    "shop_open": "La boutique est fermée, en pause ou bloquée par sa plateforme.",
    "shop_open.helps": "Rouvrez la boutique auprès de sa plateforme.",
    "scopes": "Il nous manque des autorisations nécessaires aux codes de réduction.",
    "scopes.helps": "Connectez la boutique une nouvelle fois en accordant toutes les autorisations.",
    "storefront": (
        "Les visiteurs ne peuvent pas entrer dans la boutique : elle est protégée par un mot de passe ou annoncée « bientôt disponible »."
    ),
    "storefront.helps": "Ouvrez la boutique aux visiteurs.",
    "sender": "Aucun e-mail ne peut être envoyé d’ici pour le moment.",
    "sender.helps": "Demandez à la personne qui gère ce service de configurer l’envoi des e-mails.",
    "requirements.helps": "La page de l’offre indique ce qui manque.",
}
WORDS: Mapping[str, Mapping[str, str]] = {"en": ENGLISH, "fr": FRENCH}


@dataclass(frozen=True, slots=True)
class OfferNews:
    """
    What happened to an offer. `cause`: one of OFFER_CAUSES. `reason` and `detail`: see `rules.offers.Problem`. `ends_at`: when its code
    ends, told in the shop's `zone`.
    """

    cause: str
    shop: str
    offer: str
    reason: str = ""
    detail: str = ""
    ends_at: datetime | None = None
    zone: tzinfo = UTC


def offer_letter(news: OfferNews, url: str, language: str) -> Rendered:
    """Tell an owner of an offer, why, and what helps. `url`: the offer's page. Raises Refused for a cause that has no words."""
    if news.cause not in OFFER_CAUSES:
        raise Refused(f"there are no words for a notice about {news.cause}")
    words = WORDS[phrase_language(language)]
    said = {"offer": cut(news.offer, MAX_NAME), "shop": cut(news.shop, MAX_NAME)}
    said |= {"why": _why(news, words), "end": _end(news, words, language)}
    subject, headline, intro, label = (words[f"{news.cause}.{part}"].format(**said) for part in ("subject", "headline", "intro", "link"))
    return letter(language, subject, headline, intro, [(label, url)], [_line(news, words)])


def _why(news: OfferNews, words: Mapping[str, str]) -> str:
    """The reason as a sentence; one that we do not know is told as the nearest that we do."""
    if news.reason == Suspension.REQUIREMENTS:
        return words[news.detail if news.detail in list(Requirement) else "requirements"]
    if news.reason == Suspension.UNSUPPORTED_TYPE:
        return words[news.detail if news.detail in list(Ineligible) and news.detail in words else "unsupported_type"]
    if news.reason == Suspension.CODE_REFUSED and news.detail:
        return words["code_refused.detail"].format(detail=cut(news.detail, MAX_DETAIL))
    return words[news.reason if news.reason in list(Suspension) else "code_refused"]


def _line(news: OfferNews, words: Mapping[str, str]) -> str:
    """What helps."""
    if news.cause == ENDING:
        return words["offer_ending.line"]
    if news.reason != Suspension.REQUIREMENTS:
        return words["offer_suspended.new_code"]
    lacks = news.detail if news.detail in list(Requirement) else "requirements"
    return words["offer_suspended.mend"].format(helps=words[f"{lacks}.helps"])


def _end(news: OfferNews, words: Mapping[str, str], language: str) -> str:
    if news.ends_at is None:
        return ""
    day, time = last_moment(news.ends_at, news.zone, language)
    return words["end_time" if time else "end_day"].format(day=day, time=time)
