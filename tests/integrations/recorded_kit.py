"""What tests of the pretend WooCommerce against recorded answers share: its address, a shopper, the shape of a body."""

STORE = "https://boutique.test"
ADDRESS = {"first_name": "Aurélie", "last_name": "Fontaine", "email": "aurelie@example.net", "phone": "06 45 67 89 01", "country": "FR"}


def keys(value: object) -> object:
    """The nested keys of a body; a list is as its first item is."""
    if isinstance(value, dict):
        return {key: keys(item) for key, item in value.items() if key not in {"_links", "meta_data"}}
    return [keys(value[0])] if isinstance(value, list) and value else None
