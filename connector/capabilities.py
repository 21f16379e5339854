"""What a kind of store can and cannot do."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Capabilities:
    """
    What a platform can and cannot do, declared instead of discovered; shown to merchants as it is.

    `shop_in_path`: each shop has its own webhook address (`/webhooks/{platform}/{shop_key}`) and its own secret. `tells_code_use`: it
    sends something when a discount code is used or ends. `locks_codes_to_email`: a code can be good for one e-mail address only.
    `exports`: it writes all records of a kind into a file for us. `lists_whole_checkouts`: a listed checkout tells all that its webhook
    does; else it lacks token, e-mail and phone. `undated`: kinds of records whose edits it cannot list. `fallback_mark`: the header line
    of deliveries by a shop's own subscription, where the app's configuration subscribes every shop. `meters_calls`: calls cost points of
    a budget that is reckoned for all processes together.
    """

    shop_in_path: bool
    tracks_carts: bool
    has_product_reads: bool
    registers_webhooks: bool
    tells_code_use: bool = True
    locks_codes_to_email: bool = False
    exports: bool = False
    lists_whole_checkouts: bool = True
    undated: frozenset[str] = frozenset()
    fallback_mark: str = ""
    meters_calls: bool = False
