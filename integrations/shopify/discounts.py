"""
Discount codes of one shop by the GraphQL Admin API: looked up before they are made, and after every answer that leaves it open.

No mutation for discounts can be repeated safely: after an unclear answer only a look tells whether it was done.
"""

import time
from collections.abc import Callable, Sequence
from urllib.parse import quote

from connector import clock
from connector.codes import CodeKind, CodeState, DiscountCode, IssuedCodes
from connector.platforms import Access, CodeTaken, ThrottledError, TransientError
from connector.reading import Page
from integrations.shopify import queries_codes as documents
from integrations.shopify import redeem_codes
from integrations.shopify.answers import PLATFORM, UserErrors
from integrations.shopify.client import Client
from integrations.shopify.discount_nodes import Node, is_as_wanted, to_code_state, to_input
from integrations.shopify.discount_reads import CodeNode, discount_gid, discount_now, discount_of_code, discounts_found, gone
from integrations.shopify.redeem_codes import TAKEN, RedeemCodes


class _Changed(Node):
    code_discount_node: CodeNode | None


class _Deleted(Node):
    deleted_code_discount_id: str | None


class ShopifyCodes:
    """Implements `platforms.Codes`; safe to call from many threads. `sleep` waits while codes are being added or taken away."""

    def __init__(self, client: Client, sleep: Callable[[float], None] = time.sleep) -> None:
        self._client = client
        self._many = RedeemCodes(client, sleep)

    def issue_code(self, access: Access, code: DiscountCode) -> CodeState:
        """
        Make sure that this code exists, exactly as wanted. Title and use do not count; whatever else differs makes it another discount.

        Raises: CodeTaken, Rejected, and as all calls do.
        """
        held = self._held(access, code)
        if held is not None:
            return held
        try:
            made = self._create(access, code)
        except ThrottledError:
            raise
        except (TransientError, UserErrors) as error:
            # Nobody knows whether it was made, or somebody was faster.
            if isinstance(error, UserErrors) and TAKEN not in error.codes:
                raise
            held = self._held(access, code)
            if held is None:
                raise
            return held
        state = to_code_state(made.id, made.code_discount, code.code) if made and made.code_discount else None
        state = state or self._held(access, code)
        if state is None:
            raise TransientError("the code was neither made nor refused", platform=PLATFORM, call="discount create")
        return state

    def issue_codes(self, access: Access, platform_id: str, codes: Sequence[str]) -> IssuedCodes:
        """
        Give a discount more codes, 250 at a time; doing it again adds only what is missing. Its limit of uses holds for each by itself.

        Raises TransientError if Shopify has not done after about 20 seconds: what it did is found the next time. Raises Gone.
        """
        return self._many.add(access, platform_id, codes)

    def read_code(self, access: Access, code: str) -> CodeState | None:
        """The discount that has this code, whatever its letter case; None if the code is free."""
        return discount_of_code(self._client, access, code)

    def find_codes(self, access: Access, words: str, cursor: str | None = None) -> Page:
        """Codes whose title or code fits, newest change last. An empty text finds all."""
        return discounts_found(self._client, access, words, cursor)

    def suspend_code(self, access: Access, platform_id: str) -> None:
        """End the discount now; a suspended one reads EXPIRED, and its former end is forgotten. Raises Gone."""
        self._switch(access, platform_id, documents.DEACTIVATE, "discountCodeDeactivate")

    def resume_code(self, access: Access, platform_id: str) -> None:
        """Let it hold again, from now on and without an end. Raises Gone."""
        self._switch(access, platform_id, documents.ACTIVATE, "discountCodeActivate")

    def delete_code(self, access: Access, platform_id: str) -> None:
        """Take the discount away with all its codes; one that is gone already is fine."""
        call = "discount delete"
        try:
            self._client.mutate(access, call, documents.DELETE, {"id": discount_gid(platform_id)}, _Deleted, "discountCodeDelete")
        except UserErrors:
            if discount_now(self._client, access, platform_id) is not None:
                raise

    def withdraw_codes(self, access: Access, platform_id: str, codes: Sequence[str]) -> None:
        """
        Take these codes away from their discount: Shopify switches off whole discounts only. Its other codes go on.

        Raises TransientError if Shopify has not done after about 20 seconds.
        """
        redeem_codes.withdraw(self._many, access, platform_id, codes)

    def restore_codes(self, access: Access, platform_id: str, codes: Sequence[str]) -> IssuedCodes:
        """Give the discount these codes again; they begin with no use. Raises Gone, and as `issue_codes`."""
        return self._many.add(access, platform_id, codes)

    def clear_codes(self, access: Access, platform_id: str, codes: Sequence[str]) -> tuple[str, ...]:
        """Take those of these codes that nobody used away from their discount; returns those that are not there any more."""
        return redeem_codes.clear(self._many, access, platform_id, codes)

    def use_url(self, shop_url: str, code: str) -> str | None:
        """The address of the online store that applies the code and goes on to its home page."""
        return f"{shop_url.rstrip('/')}/discount/{quote(code, safe='')}"

    def _held(self, access: Access, code: DiscountCode) -> CodeState | None:
        """The code as the shop has it, None if it is free. Raises CodeTaken if it is another discount's."""
        held = self.read_code(access, code.code)
        if held is not None and not is_as_wanted(held, code):
            raise CodeTaken("another discount of the shop has this code", platform=PLATFORM, call="discount create")
        return held

    def _create(self, access: Access, code: DiscountCode) -> CodeNode | None:
        is_shipping = code.kind is CodeKind.FREE_SHIPPING
        document = documents.CREATE_FREE_SHIPPING if is_shipping else documents.CREATE_BASIC
        root = "discountCodeFreeShippingCreate" if is_shipping else "discountCodeBasicCreate"
        variables = {"discount": to_input(code, clock.now())}
        return self._client.mutate(access, "discount create", document, variables, _Changed, root).code_discount_node

    def _switch(self, access: Access, platform_id: str, document: str, root: str) -> None:
        try:
            self._client.mutate(access, "discount switch", document, {"id": discount_gid(platform_id)}, _Changed, root)
        except UserErrors as error:
            if discount_now(self._client, access, platform_id) is None:
                raise gone() from error
            raise
