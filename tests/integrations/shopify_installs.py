"""What Shopify says of a shop that installs us, and the hosts that are not its own."""

import base64
from typing import Any

SHOP = "atelier-brume.myshopify.com"
PROFILE: dict[str, Any] = {
    "id": "gid://shopify/Shop/71200000001",
    "name": "Atelier Brume",
    "email": "owner@atelier-brume.example",
    "contactEmail": "bonjour@atelier-brume.example",
    "myshopifyDomain": SHOP,
    "currencyCode": "EUR",
    "ianaTimezone": "Europe/Paris",
    "taxesIncluded": True,
    "primaryDomain": {"url": "https://Atelier-Brume.example", "host": "Atelier-Brume.example"},
    "billingAddress": {
        "company": "Brume SARL",
        "address1": "3 rue des Tisserands",
        "address2": None,
        "zip": "44000",
        "city": "Nantes",
        "province": None,
        "country": "France",
        "countryCodeV2": "FR",
    },
}
FOREIGN_HOSTS = (
    "evil.example",
    "admin.shopify.com.evil.example/store/brume",
    "evil.example/admin.shopify.com/store/brume",
    "admin.shopify.com/store/brume@evil.example",
    "admin.shopify.com/store/brume\n",
    "https://admin.shopify.com/store/brume",
    "other.myshopify.com/admin",
)


def encoded(place: str) -> str:
    return base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")
