"""What a kind of store can and cannot do."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Capabilities:
    """
    What a platform can and cannot do, declared instead of discovered; shown to merchants as it is.

    `shop_in_path`: each shop has its own webhook address (`/webhooks/{platform}/{shop_key}`) and its own secret. `tells_code_use`: it
    sends something when a discount code is used or ends. `locks_codes_to_email`: a code can be good for one e-mail address only.
    `fallback_mark`: the header line of deliveries by a shop's own subscription, where the app's configuration subscribes every shop.
    """

    shop_in_path: bool
    tracks_carts: bool
    has_product_reads: bool
    registers_webhooks: bool
    tells_code_use: bool = True
    locks_codes_to_email: bool = False
    fallback_mark: str = ""
