"""
The pretend WooCommerce's "coming soon": what visitors do not see yet, and the route of WooCommerce's own admin that tells it.

Neither REST v3 nor the Store API nor a form that is sent knows of it: only pages are replaced. Source: ComingSoonRequestHandler.php.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from starlette.responses import Response

from integrations.sandbox.web import Call, notice
from integrations.sandbox.woocommerce_answers import answer, error
from integrations.sandbox.woocommerce_store import Store

FIRST_WITH_IT = (9, 1)
Endpoint = tuple[str, Callable[[Call], Response], str]


@dataclass(frozen=True, slots=True)
class Visibility:
    """What one store says of its being open, and shows instead of its pages."""

    store: Store

    def endpoints(self) -> Sequence[Endpoint]:
        """Path, handler and methods; whoever serves them looks at the keys first."""
        return (("/wp-json/wc-admin/options", self._options, "GET"),)

    def hiding(self, handler: Callable[[Call], Response], *, is_shop: bool = True) -> Callable[[Call], Response]:
        """A page that is not shown while it is coming soon; `is_shop`: one of the shop, which may be hidden alone."""

        def shown(call: Call) -> Response:
            hidden = self.store.coming_soon
            if hidden == "site" or (hidden and is_shop):
                return notice(self.store.name, "Pardon our dust! We're working on something amazing", "Check back soon!")
            return handler(call)

        return shown

    def _options(self, call: Call) -> Response:
        """Each option that is asked for; one that is not for this route refuses them all. What is not set is false."""
        known: Mapping[str, str | bool] = {}
        if self.store.release >= FIRST_WITH_IT:
            known = {
                "woocommerce_coming_soon": "yes" if self.store.coming_soon else "no",
                "woocommerce_store_pages_only": "yes" if self.store.coming_soon == "store" else "no",
                "woocommerce_share_key": False,
            }
        asked = [name for name in call.query.get("options", "").split(",") if name]
        if not asked or not set(asked) <= known.keys():
            return error("woocommerce_rest_cannot_view", "Sorry, you cannot view these options.", 401)
        return answer({name: known[name] for name in asked})
