"""
Whether shoppers can enter a store: WooCommerce's "coming soon", of the whole site or of its shop pages only (9.1 on).

No route of v3 tells it: the settings group `site-visibility` is a placeholder. WooCommerce's own admin reads the option over
`wc-admin/options`, which takes REST keys as all routes that begin with `wc-` do.
Source: ComingSoonHelper.php, class-wc-settings-site-visibility.php, Admin/API/Options.php (9.9.5, 10.5.3, 11.0.1).
"""

from typing import Any, Final

from integrations.transport import decode
from integrations.woocommerce.calling import Call, ask, check
from integrations.woocommerce.payloads import PLATFORM

ROUTE: Final = "wc-admin/options"
OPTION: Final = "woocommerce_coming_soon"
_PASSING = (408, 429)


def is_open(call: Call) -> bool | None:
    """
    Whether no "coming soon" page stands before the shop; None where the store does not tell. Raises what passes by itself.

    A store that has the option not at all answers `false`: it is open.
    """
    answer = ask(call, "visibility", "GET", ROUTE, params={"options": OPTION})
    if 400 <= answer.status < 500 and answer.status not in _PASSING:
        # A key whose owner may not see it, an admin that is taken out, a firewall: nothing of this says anything of our keys.
        return None
    check(answer, "visibility")
    told = decode(answer, dict[str, Any], platform=PLATFORM, call="visibility").get(OPTION)
    return None if told is None else told != "yes"
