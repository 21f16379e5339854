"""The words of the pages that shoppers see."""

from collections.abc import Mapping

ENGLISH: Mapping[str, str] = {
    "ask_title": "Unsubscribe",
    "ask": "Do you no longer want to receive e-mails about unfinished orders from {shop}?",
    "ask_offers": "Do you no longer want to receive e-mails with offers, or about unfinished orders, from {shop}?",
    "ask_button": "Unsubscribe",
    "done_title": "You are unsubscribed",
    "done": "{shop} will not send you any more of these e-mails.",
    "gone_title": "This link does not work any more",
    "gone": "It may be incomplete, or what it led to does not exist any more. Please go to the shop's own page.",
}

FRENCH: Mapping[str, str] = {
    "ask_title": "Se désabonner",
    "ask": "Ne souhaitez-vous plus recevoir d’e-mails de {shop} au sujet de commandes inachevées ?",
    "ask_offers": "Ne souhaitez-vous plus recevoir d’e-mails de {shop} avec des offres ou au sujet de commandes inachevées ?",
    "ask_button": "Se désabonner",
    "done_title": "Vous êtes désabonné",
    "done": "{shop} ne vous enverra plus d’e-mails de ce type.",
    "gone_title": "Ce lien ne fonctionne plus",
    "gone": "Il est peut-être incomplet, ou ce vers quoi il menait n’existe plus. Rendez-vous directement sur le site de la boutique.",
}

PHRASES: Mapping[str, Mapping[str, str]] = {"en": ENGLISH, "fr": FRENCH}
