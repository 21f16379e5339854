"""Any valid query: the pretend Shopify answers exactly the fields that were asked for, and never spends more than it requested."""

import random
from collections.abc import Mapping
from typing import Any

from graphql import GraphQLObjectType, get_named_type, is_abstract_type, is_leaf_type, is_non_null_type
from hypothesis import given, settings
from hypothesis import strategies as st

from integrations.sandbox.shopify_cost import Bucket
from integrations.sandbox.shopify_schema import admin_schema
from tests.integrations.graph_kit import GraphShop

SCHEMA = admin_schema()
ASKED = ("orders", "abandonedCheckouts", "customers", "products", "productVariants", "discountNodes", "webhookSubscriptions", "shop")
TENTH = {"title": "T", "code": "T", "context": {"all": "ALL"}, "customerGets": {"value": {"percentage": 0.1}, "items": {"all": True}}}


def furnished() -> GraphShop:
    """A shop with a few of everything, and points for everybody."""
    graph = GraphShop()
    graph.shop.bucket = Bucket(1e9, 1e9)
    for sku in ("CEDAR-L", "TOWEL-OAT"):
        graph.buy(sku, 2)
    left = graph.shop.open_checkout([graph.shop.find_line("SALT-SOAP", 1)])
    left.phone = "+12075550100"
    graph.shop.discounts.add("DiscountCodeBasic", TENTH)
    graph.shop.discounts.add("DiscountAutomaticBasic", {"title": "A"})
    graph.shop.subscriptions.create("APP_UNINSTALLED", {"uri": "https://app.example/"})
    return graph


def some_fields(kind: Any, dice: random.Random, depth: int) -> tuple[str, dict[str, Any]]:
    """A random selection of a type, and the keys that its answer must have (those below in their turn)."""
    parts = ["__typename"]
    wanted: dict[str, Any] = {"__typename": {}}
    if is_abstract_type(kind):
        for owner in dice.sample(SCHEMA.get_possible_types(kind), 1):
            parts.append(f"... on {owner.name} {some_fields(owner, dice, depth + 1)[0]}")
        return "{ " + " ".join(parts) + " }", {}
    assert isinstance(kind, GraphQLObjectType)
    for name in dice.sample(list(kind.fields), min(len(kind.fields), dice.randint(1, 6))):
        field, named = kind.fields[name], get_named_type(kind.fields[name].type)
        if any(is_non_null_type(one.type) for one in field.args.values()) or (depth > 4 and not is_leaf_type(named)):
            continue
        sizes = sorted({"first", "last"} & set(field.args))
        pages = f"({dice.choice(sizes)}: {dice.randint(0, 3)})" if sizes else ""
        inner, below = ("", {}) if is_leaf_type(named) else some_fields(named, dice, depth + 1)
        key = f"{name}_{len(parts)}"
        parts.append(f"{key}: {name}{pages} {inner}")
        wanted[key] = below
    return "{ " + " ".join(parts) + " }", wanted


def check(value: Any, wanted: Mapping[str, Any]) -> None:
    """The answer has the keys that were asked for and no others."""
    if isinstance(value, list):
        for one in value:
            check(one, wanted)
    elif isinstance(value, dict) and wanted:
        assert set(value) == set(wanted)
        for key, inner in value.items():
            check(inner, wanted[key])


@settings(max_examples=120)
@given(st.integers(0, 2**32), st.sampled_from(ASKED))
def test_any_query_is_answered_as_asked_and_within_its_cost(seed: int, root: str) -> None:
    dice = random.Random(seed)
    kind = SCHEMA.query_type.fields[root]  # type: ignore[union-attr]
    selection, wanted = some_fields(get_named_type(kind.type), dice, 0)
    body = GRAPH.ask(f"{{ {root}{'(first: 3)' if 'first' in kind.args else ''} {selection} }}")
    if "errors" in body:
        assert {one["extensions"]["code"] for one in body["errors"]} == {"MAX_COST_EXCEEDED"}, body
        return
    check(body["data"][root], wanted)
    cost = body["extensions"]["cost"]
    assert 0 <= cost["actualQueryCost"] <= cost["requestedQueryCost"]


GRAPH = furnished()
