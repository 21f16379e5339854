"""A FakePlatform whose stores post the answer to an install themselves, as WooCommerce's do."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from connector.platforms import Callback, Installation, InstallRefused
from tests.fakes import FakePlatform


@dataclass
class PostingPlatform(FakePlatform):
    """Proven by `{"user_id": state}` in the body; `missing` are scopes that were not granted."""

    missing: tuple[str, ...] = ()

    def finish_install(
        self, callback: Callback, remembered: Mapping[str, str], state: str, callback_url: str, now: datetime
    ) -> Installation:
        """Look only at the body."""
        self._call("finish_install")
        if not callback.body or json.loads(callback.body).get("user_id") != state:
            raise InstallRefused("the keys are not there", platform=self.name, call="install")
        return Installation(remembered["shop"], {"key": "ck"}, ("read_write",), self.missing, self.profile)
