"""The words of our own e-mails, in the languages we can proofread."""

from collections.abc import Mapping

DEFAULT_LANGUAGE = "en"

ENGLISH: Mapping[str, str] = {
    "subject": "You left something at {shop}",
    "preheader": "Your selection is still here, and so is the way back to it.",
    "headline": "Still thinking it over?",
    "greeting": "Hello,",
    "greeting_named": "Hello {name},",
    "intro": "You started an order at {shop} and did not finish it. Here is what you had chosen:",
    "quantity": "Quantity:",
    "each": "{price} each",
    "more_one": "and 1 more item",
    "more_many": "and {count} more items",
    "total": "Total",
    "button": "Complete order",
    "reason": "You receive this e-mail because you gave your address while ordering at {shop}.",
    "unsubscribe": "Unsubscribe from these reminders",
}

FRENCH: Mapping[str, str] = {
    "subject": "Votre panier vous attend chez {shop}",
    "preheader": "Votre sélection est toujours là, à portée d’un clic.",
    "headline": "Encore une hésitation ?",
    "greeting": "Bonjour,",
    "greeting_named": "Bonjour {name},",
    "intro": "Vous avez commencé une commande chez {shop} sans la terminer. Voici ce que vous aviez choisi :",
    "quantity": "Quantité :",
    "each": "{price} l’unité",
    "more_one": "et 1 autre article",
    "more_many": "et {count} autres articles",
    "total": "Total",
    "button": "Finaliser la commande",
    "reason": "Vous recevez cet e-mail parce que vous avez indiqué votre adresse en commandant chez {shop}.",
    "unsubscribe": "Ne plus recevoir ces rappels",
}

PHRASES: Mapping[str, Mapping[str, str]] = {"en": ENGLISH, "fr": FRENCH}


def phrase_language(language: str) -> str:
    """The language we write in for a BCP 47 tag: its first part if we have it (`fr-CA` -> `fr`), else English."""
    prefix = language.replace("_", "-").split("-")[0].strip().lower()
    return prefix if prefix in PHRASES else DEFAULT_LANGUAGE
