"""What the WooCommerce adapter refuses with is marked for translation, word by word."""

import ast
from pathlib import Path

from connector.web.install_phrases import REFUSALS
from connector.web.language import translator
from integrations.woocommerce import install
from integrations.woocommerce.proving import OTHERWISE, WORDS


def refusals() -> list[str]:
    """The texts of `_refused(…)` in the adapter's install."""
    tree = ast.parse(Path(install.__file__).read_text())
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "_refused"]
    return [ast.literal_eval(call.args[0]) for call in calls]


def test_every_refusal_of_the_adapter_can_be_translated_and_no_other_is_marked() -> None:
    found = refusals()
    assert len(found) > 10
    assert {*found, *WORDS.values(), OTHERWISE} == set(REFUSALS)
    assert not any(translator("fr").gettext(text) == text for text in REFUSALS)
