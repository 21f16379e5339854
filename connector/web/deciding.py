"""Why nothing was decided yet: computed on reading for checkouts without a written Decision."""

from collections.abc import Iterable

from connector.canonical import Channel
from connector.rules.automations import CheckoutFacts, ShopFacts, Verdict, decide_enrollment
from connector.store import automations, people
from connector.store.automation_tables import AutomationRow
from connector.store.db import Session
from connector.store.sealed import Vault
from connector.store.tables import ShopRow


class Judge:
    """Gives the answer that the shop's automation would give now. Made for one page, inside its transaction."""

    def __init__(
        self, session: Session, vault: Vault, shop: ShopRow, automation: AutomationRow, checkouts: Iterable[CheckoutFacts]
    ) -> None:
        assert shop.id is not None
        addresses = {facts.email for facts in checkouts if facts.email is not None}
        self._suppressed = people.suppressed_among(session, vault, shop.id, Channel.EMAIL, addresses)
        self._automation = automations.automation_facts(automation)
        self._shop = ShopFacts(is_connected=shop.state == "connected", threshold_minutes=shop.threshold_minutes)

    def verdict(self, facts: CheckoutFacts) -> Verdict:
        """What would be decided about this checkout."""
        return decide_enrollment(facts, self._automation, self._shop, is_suppressed=facts.email in self._suppressed)
