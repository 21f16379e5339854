"""Why an install was refused, in the reader's language: the adapters' own words, marked here because they know of no languages."""

from connector.hindrances import InstallHindered
from connector.platforms import BadSignature, InstallRefused
from connector.web.language import N_, translator

REFUSALS = (
    N_("Please type the address of your store, for example shop.example.com."),
    N_("That is no web address. Please type the address of your store, for example shop.example.com."),
    N_("The store must be reached by https: its keys and its customers' data would travel for everybody to read."),
    N_("A store's address begins with https://."),
    N_("Please leave out the user name and password: type only the address of your store."),
    N_("Please type only the address of your store, without anything after ? or #."),
    N_("Stores are reached on port 443 or 8443 only. Please type the address without another port."),
    N_("The store needs a public name such as shop.example.com: bare IP addresses and local names cannot be connected."),
    N_("That address has signs in its path that a store's address does not have."),
    N_("These are no keys of WooCommerce: the first begins with ck_, the second with cs_, and both have 43 signs."),
    N_("The store redirects to {found}. Please type that address."),
    N_("The store is behind a password. Its REST API must be open to those who have keys."),
    N_("A firewall or security plugin answers instead of the store ({found}). Let it allow calls to /wp-json/."),
    N_("A plugin closes WordPress's REST API ({found}). Let it allow calls to /wp-json/."),
    N_("WooCommerce's REST API does not answer at that address: there is no WordPress, or its REST API is off."),
    N_("This address leads into a private network or to no public https server; such a store cannot be connected."),
    N_("The store's certificate is not accepted ({found}). Have your host put it right."),
    N_("Permalinks are set to Plain: choose any others under Settings > Permalinks."),
    N_("WooCommerce's REST API does not answer at that address: WooCommerce must be active and permalinks other than plain."),
    N_("The store does not accept the keys: they must be complete, and the person who has them must manage the shop."),
    N_("The keys may not read. Connector needs Read/Write access."),
    N_("The keys may only read. Connector needs Read/Write access to receive checkouts."),
    N_("The store does not accept the keys: the person who has them must manage the shop."),
    N_("Reading is let through and writing is turned away ({found}). Let the security plugin allow /wp-json/."),
    N_("The store cannot be connected as it is ({found})."),
    N_("The install has no usable one-time number. Please start again."),
    N_("WooCommerce hands its keys only to an https address, and ours is not: PUBLIC_URL must begin with https://."),
    N_("The connection was denied in the store."),
    N_("The store's answer cannot be read. Please start again."),
    N_("This answer does not belong to an install that was started here. Please start again."),
    N_("The key that was granted may not both read and write. Connector needs Read/Write access to receive checkouts."),
    N_("The store's answer holds no WooCommerce keys. Please start again."),
)


def refusal_words(error: InstallRefused | BadSignature, language: str) -> str:
    """The reason for the merchant; English where there is no translation."""
    words = translator(language).gettext
    if isinstance(error, InstallHindered):
        return words(error.template).replace("{found}", ", ".join(error.check.found))
    return words(str(error))
