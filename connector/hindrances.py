"""What stands in the way of connecting a store, for pages that say more than a sentence."""

from connector.checkups import Check
from connector.platforms import InstallRefused


class InstallHindered(InstallRefused):
    """Something about the store stands in the way: `check` says what. `template`: the message with `{found}` for what was found."""

    def __init__(self, template: str, *, platform: str, check: Check, status: int | None = None) -> None:
        super().__init__(template.replace("{found}", ", ".join(check.found)), platform=platform, call="install", status=status)
        self.template = template
        self.check = check
