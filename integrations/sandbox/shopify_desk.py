"""What the pretend shop's merchant does in the admin with discounts and with the shop as a whole; each action sends its webhooks."""

from dataclasses import dataclass
from typing import Any

from connector.errors import NotFound, Refused
from integrations.sandbox.shopify_bodies import shop_body, shop_time
from integrations.sandbox.shopify_hooks import Hooks
from integrations.sandbox.shopify_shop import Shop


@dataclass(eq=False)
class Desk:
    """The pages of discounts and settings. All take the shop's lock and may be called from any thread."""

    shop: Shop
    hooks: Hooks

    def edit_discount(self, number: int, **wanted: Any) -> None:
        """
        Change what these words of GraphQL's input name: `endsAt`, `usageLimit`, `minimumRequirement`, `context`, `customerGets` …

        Sends discounts/update, which names no code. Raises NotFound, Refused with Shopify's words.
        """
        with self.shop.lock:
            held = self.shop.discounts.get(number)
            if held is None:
                raise NotFound("no discount has this number")
            _, wrong = self.shop.discounts.update(number, held.kind, wanted)
        if wrong:
            raise Refused(wrong[0].message)

    def end_discount(self, number: int) -> None:
        """Switch a discount off. Sends discounts/update."""
        with self.shop.lock:
            self.shop.discounts.deactivate(number)

    def remove_code(self, code: str) -> None:
        """Take one code away from its discount, whose others go on. Sends discounts/redeemcode_removed. Raises NotFound."""
        with self.shop.lock:
            held = self.shop.discounts.find(code)
            ids = [one.id for one in held.codes if one.code.casefold() == code.casefold()] if held else []
            if held is None:
                raise NotFound("no discount has this code")
            self.shop.discounts.remove_codes(held.id, ids)

    def set_password(self, is_on: bool) -> None:
        """Put the online store behind a password, or take that away. Sends shop/update."""
        with self.shop.lock:
            self.shop.has_password = is_on
            body = shop_body(self.shop) | {"updated_at": shop_time(self.shop, self.shop.now())}
        self.hooks.send([("shop/update", body)])

    def freeze(self) -> None:
        """Shopify closes the shop until its bill is paid: API and storefront answer 402. Nothing is sent."""
        with self.shop.lock:
            self.shop.is_frozen = True

    def unfreeze(self) -> None:
        """The bill was paid."""
        with self.shop.lock:
            self.shop.is_frozen = False
