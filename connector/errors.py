"""The root of every error we raise on purpose."""


class ConnectorError(Exception):
    """An error with a message that is fit for the person who caused or must cure it."""


class ConfigError(ConnectorError):
    """A setting is missing or contradicts another; the message names both and the cure."""


class NotFound(ConnectorError):
    """What was asked for does not exist, or not for the one who asks."""


class Refused(ConnectorError):
    """
    A request that was understood and may not be carried out; the message says why and what helps.

    The message may hold `{names}`, which `values` fill: so it can be told in the reader's language.
    """

    def __init__(self, template: str = "", **values: object) -> None:
        super().__init__(template.format(**values) if values else template)
        self.template = template
        self.values = values
