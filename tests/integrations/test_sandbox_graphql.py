"""The pretend Shopify's GraphQL answers what was asked, as Shopify would: each field, rights, withheld data, errors."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from graphql import (
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLUnionType,
    execute,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
    is_non_null_type,
    parse,
    validate,
)

from integrations.sandbox.shopify_call import GraphCall
from integrations.sandbox.shopify_discount_book import APP, AUTOMATIC, BASIC, BXGY, FREE_SHIPPING
from integrations.sandbox.shopify_schema import admin_schema
from integrations.sandbox.shopify_search import Search
from integrations.sandbox.shopify_shop import Dispute, Marketing, Shopper
from integrations.sandbox.shopify_subscription_book import ShopSubscription
from tests.integrations.graph_kit import MARY, SCOPES, GraphShop

SCHEMA = admin_schema()
assert SCHEMA.query_type is not None
ROOTS = SCHEMA.query_type.fields
DEEP = 5
NEVER_HERE = {"Attribute", "DiscountAllocationConnection", "DiscountAllocationEdge", "PricingPercentageValue"}
"""What this shop's purchases never have."""


@pytest.fixture
def graph() -> GraphShop:
    return GraphShop()


def selection(kind: Any, path: tuple[str, ...]) -> str:
    """Every field of a type and of what is below it; a type that is on its own way again is left out."""
    if is_leaf_type(kind):
        return ""
    if len(path) > DEEP or kind.name in path:
        return "{ __typename }"
    if is_abstract_type(kind):
        assert isinstance(kind, GraphQLUnionType | GraphQLInterfaceType)
        return "{ __typename " + " ".join(f"... on {one.name} {selection(one, path)}" for one in SCHEMA.get_possible_types(kind)) + " }"
    parts = []
    for name, field in kind.fields.items():
        if any(is_non_null_type(one.type) and one.default_value is None for one in field.args.values()):
            continue
        named = get_named_type(field.type)
        inner = selection(named, (*path, kind.name))
        # One name may mean two types in two members of a union: then each needs an alias of its own.
        parts.append(f"{kind.name}_{name}: {name}{'(first: 3)' if 'first' in field.args else ''} {inner}")
    return "{ __typename " + " ".join(parts) + " }"


def furnish(graph: GraphShop) -> list[str]:
    """One of everything that has a global id; the ids."""
    shop = graph.shop
    order = graph.buy()
    order.checkout.discount_code, order.checkout.discount, order.checkout.is_taxed = "THANKS", Decimal(3), True
    order.disputes.append(Dispute(1, "chargeback", "inquiry", "under_review", graph.at))
    customer = order.checkout.customer
    assert customer is not None
    customer.email_marketing = customer.sms_marketing = customer.whatsapp_marketing = Marketing("subscribed", graph.at)
    left = shop.open_checkout([shop.find_line("TOWEL-OAT", 2)])
    left.customer, left.email = customer, MARY.email
    everybody = {"context": {"all": "ALL"}, "startsAt": graph.at}
    tenth = {"value": {"percentage": 0.1}, "items": {"all": True}}
    amount = {"value": {"discountAmount": {"amount": 5, "appliesOnEachItem": False}}}
    product, person = "gid://shopify/Product/7900000000001", f"gid://shopify/Customer/{customer.id}"
    made: list[tuple[str, dict[str, Any]]] = [
        (BASIC, {"title": "Thanks", "code": "THANKS", "customerGets": tenth, "tags": ["ours"]}),
        (BASIC, {"code": "P", "customerGets": {**amount, "items": {"products": {"productsToAdd": [product]}}}}),
        (BASIC, {"code": "C", "customerGets": {**amount, "items": {"collections": {"add": ["gid://shopify/Collection/1"]}}}}),
        (BASIC, {"code": "S", "customerGets": tenth, "minimumRequirement": {"subtotal": {"greaterThanOrEqualToSubtotal": 20}}}),
        (FREE_SHIPPING, {"code": "F", "maximumShippingPrice": 9, "minimumRequirement": {"quantity": {"greaterThanOrEqualToQuantity": 2}}}),
        (FREE_SHIPPING, {"code": "D", "destination": {"countries": {"add": ["US"]}}, "context": {"customers": {"add": [person]}}}),
        (BASIC, {"code": "G", "customerGets": tenth, "context": {"customerSegments": {"add": ["gid://shopify/Segment/1"]}}}),
        (BASIC, {"code": "M", "customerGets": tenth, "context": {"markets": {"add": ["gid://shopify/Market/1"]}}}),
        (BXGY, {"code": "B", "customerGets": {"value": {"discountOnQuantity": {"quantity": 1, "effect": {"percentage": 1.0}}}}}),
        (APP, {"code": "A"}),
        (AUTOMATIC, {"title": "For all"}),
    ]
    discounts = [shop.discounts.add(kind, {**everybody, **wanted}) for kind, wanted in made]
    started, _ = shop.discounts.begin_import(discounts[0].id, ["NEW", "new"])
    assert started is not None
    subscription = shop.subscriptions.create("ORDERS_CREATE", {"uri": "https://app.example/hooks", "name": "x"}, SCOPES)
    assert isinstance(subscription, ShopSubscription)
    operation = shop.bulk.run("{ products { edges { node { id } } } }", lambda: [{"id": product}])
    shop.bulk.finish(operation.id)
    variant = shop.products[7900000000001].variants[0]
    numbers = {"Order": order.id, "AbandonedCheckout": left.number, "Abandonment": left.number, "InventoryItem": variant.inventory_item_id}
    numbers |= {"ProductVariant": variant.id, "DiscountRedeemCodeBulkCreation": started.id, "WebhookSubscription": subscription.id}
    ids = [f"gid://shopify/{kind}/{number}" for kind, number in numbers.items()]
    ids += [product, person, operation.gid, *[one.gid for one in discounts]]
    return ids + [f"gid://shopify/DiscountNode/{one.id}" for one in discounts]


def test_every_field_of_the_schema_is_answered(graph: GraphShop) -> None:
    ids = furnish(graph)
    answered: set[str] = set()

    def record(next_: Any, source: Any, info: Any, **arguments: Any) -> Any:
        answered.add(f"{info.parent_type.name}.{info.field_name}")
        return next_(source, info, **arguments)

    call = GraphCall(graph.shop, SCOPES, Search(graph.shop.discounts._zone))
    lists = [name for name, field in ROOTS.items() if "first" in field.args or not field.args or name.endswith("Count")]
    queries = [f"query Q($ids: [ID!]!) {{ nodes(ids: $ids) {selection(SCHEMA.type_map['Node'], ())} }}"]
    for name in lists:
        field = ROOTS[name]
        queries.append(f"{{ {name}{'(first: 20)' if 'first' in field.args else ''} {selection(get_named_type(field.type), ())} }}")
    for query in queries:
        document = parse(query)
        assert validate(SCHEMA, document) == []
        result = execute(SCHEMA, document, context_value=call, variable_values={"ids": ids}, middleware=[record])
        assert result.errors is None, result.errors  # type: ignore[union-attr]
    reachable: set[str] = set()
    pending: list[Any] = [get_named_type(ROOTS[name].type) for name in ("nodes", *lists)]
    while pending:
        kind = pending.pop()
        for owner in SCHEMA.get_possible_types(kind) if is_abstract_type(kind) else [kind]:
            if isinstance(owner, GraphQLObjectType) and not {f"{owner.name}.{name}" for name in owner.fields} <= reachable:
                reachable |= {f"{owner.name}.{name}" for name in owner.fields}
                pending += [get_named_type(field.type) for field in owner.fields.values()]
    assert {one for one in reachable - answered if one.partition(".")[0] not in NEVER_HERE} == set()
    assert len(reachable) > 400


@pytest.mark.parametrize(
    ("query", "owner", "field"),
    [
        ("{ abandonedCheckouts(first: 1) { nodes { email } } }", "AbandonedCheckout", "email"),
        ("{ abandonedCheckouts(first: 1) { nodes { id token } } }", "AbandonedCheckout", "token"),
        ("{ carts(first: 1) { nodes { id } } }", "QueryRoot", "carts"),
        ("{ orders(first: 1) { nodes { lineItems(first: 1) { nodes { price } } } } }", "LineItem", "price"),
        ("mutation { orderDelete(orderId: 1) { deletedId } }", "Mutation", "orderDelete"),
    ],
)
def test_what_the_real_api_lacks_is_not_answered(graph: GraphShop, query: str, owner: str, field: str) -> None:
    body = graph.ask(query)
    error = body["errors"][0]
    assert error["message"] == f"Field '{field}' doesn't exist on type '{owner}'"
    assert error["extensions"] == {"code": "undefinedField", "typeName": owner, "fieldName": field}
    assert "data" not in body
    assert graph.shop.bucket.calls == 0


def test_only_what_was_asked_is_answered(graph: GraphShop) -> None:
    graph.buy()
    (order,) = graph.data("{ orders(first: 5) { nodes { name total: totalPriceSet { shopMoney { amount } } } } }")["orders"]["nodes"]
    assert order == {"name": "#1001", "total": {"shopMoney": {"amount": "32.00"}}}


@pytest.mark.parametrize(
    ("query", "variables", "code"),
    [
        ("", {}, "PARSING_ERROR"),
        ("{ shop { name }", {}, "PARSING_ERROR"),
        ("{ shop }", {}, "invalidQuery"),
        ("{ orders(first: 1, sortKey: NAME_OF_DOG) { nodes { id } } }", {}, "invalidQuery"),
        ("query A { shop { id } } query B { shop { id } }", {}, "MISSING_OPERATION"),
        ("query Q($id: ID!) { order(id: $id) { id } }", {}, "INVALID_VARIABLE"),
        ("query Q($id: ID!) { order(id: $id) { id } }", {"id": "7"}, "INVALID_VARIABLE"),
        ("query Q($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": ["gid://shopify/Order/1"] * 251}, "MAX_INPUT_SIZE_EXCEEDED"),
        ("{ orders { nodes { id } } }", {}, "BAD_REQUEST"),
        ("{ orders(first: 251) { nodes { id } } }", {}, "BAD_REQUEST"),
        ("{ orders(first: 1, last: 1) { nodes { id } } }", {}, "BAD_REQUEST"),
        ('{ orders(first: 1, after: "?") { nodes { id } } }', {}, "BAD_REQUEST"),
    ],
)
def test_a_broken_request_is_an_error(graph: GraphShop, query: str, variables: dict[str, Any], code: str) -> None:
    body = graph.ask(query, **variables)
    assert graph.codes(body) == [code]
    assert body.get("data") in (None, {"order": None})


def test_what_the_token_may_not_see_is_denied(graph: GraphShop) -> None:
    order = graph.buy()
    gid = f"gid://shopify/Order/{order.id}"
    body = graph.ask("query Q($id: ID!) { order(id: $id) { id } shop { name } }", ("read_products",), id=gid)
    assert body["data"] == {"order": None, "shop": {"name": "Harbour & Pine"}}
    assert body["errors"][0]["path"] == ["order"]
    assert body["errors"][0]["extensions"]["code"] == "ACCESS_DENIED"
    assert "`read_orders` access scope" in body["errors"][0]["extensions"]["requiredAccess"]
    body = graph.ask("query Q($id: ID!) { order(id: $id) { id customer { id } } }", ("read_orders",), id=gid)
    assert body["data"]["order"] == {"id": gid, "customer": None}
    assert body["errors"][0]["path"] == ["order", "customer"]
    assert graph.ask("{ orders(first: 1) { nodes { id } } }", ())["data"] is None
    assert graph.codes(
        graph.ask('mutation { discountCodeDelete(id: "gid://shopify/DiscountCodeNode/1") { deletedCodeDiscountId } }', ())
    ) == ["ACCESS_DENIED"]
    assert graph.ask("query Q($ids: [ID!]!) { nodes(ids: $ids) { id } }", ("read_products",), ids=[gid])["data"] == {"nodes": [None]}


WITHHELD = {
    "name": ("customer { firstName }", ["customer", "firstName"], "use the firstName field"),
    "email": (
        "customer { defaultEmailAddress { emailAddress } }",
        ["customer", "defaultEmailAddress"],
        "use the defaultEmailAddress field",
    ),
    "phone": ("phone", ["phone"], "use the phone field"),
    "address": ("shippingAddress { city }", ["shippingAddress", "city"], "use the city field"),
    "customer": ("customer { id }", ["customer"], "access the Customer object"),
}


@pytest.mark.parametrize("group", sorted(WITHHELD))
def test_withheld_data_are_null_beside_the_rest_and_named_in_the_errors(graph: GraphShop, group: str) -> None:
    asked, path, thing = WITHHELD[group]
    order = graph.buy()
    order.checkout.phone = "+12075550100"
    query = f"query Q($id: ID!) {{ order(id: $id) {{ name {asked} }} }}"
    gid = f"gid://shopify/Order/{order.id}"
    assert "errors" not in graph.ask(query, id=gid)
    graph.shop.withheld = {group}
    body = graph.ask(query, id=gid)
    assert body["data"]["order"]["name"] == "#1001"
    value: Any = body["data"]["order"]
    for name in path:
        value = value[name]
    assert value is None
    (error,) = body["errors"]
    assert error["path"] == ["order", *path]
    assert error["message"].startswith(f"This app is not approved to {thing}. See https://partners.shopify.com/")
    assert error["extensions"]["code"] == "ACCESS_DENIED"


def test_nothing_of_a_person_shows_where_everything_is_withheld(graph: GraphShop) -> None:
    person = Shopper("marker@example.com", "Marker", "Marker", "+12075550199", MARY.address)
    customer = graph.shop.keep_customer(person)
    graph.shop.withheld = {"name", "email", "phone", "address"}
    query = "query Q($id: ID!) { node(id: $id) " + selection(SCHEMA.type_map["Node"], ("Order", "Order")) + " }"
    call = GraphCall(graph.shop, SCOPES, Search(graph.shop.discounts._zone))
    result = execute(SCHEMA, parse(query), context_value=call, variable_values={"id": f"gid://shopify/Customer/{customer.id}"})
    text = str(result.data)  # type: ignore[union-attr]
    assert str(customer.id) in text
    assert [word for word in ("Marker", "marker@", "555", "Mill Street", "Portland", "04101") if word in text] == []


def test_a_purchase_is_told_alike_by_checkout_and_order(graph: GraphShop) -> None:
    order = graph.buy("TOWEL-MOSS", 2)
    body = graph.data(
        """query Q($token: String!) {
          orders(first: 1, query: $token) { nodes { checkoutToken cartToken displayFinancialStatus updatedAt
            customer { legacyResourceId defaultPhoneNumber { phoneNumber smsMarketingConsent { state } } }
            lineItems(first: 1) { nodes { quantity variantTitle originalUnitPriceSet { shopMoney { amount currencyCode } } } } } }
          abandonedCheckouts(first: 1) { nodes { name completedAt abandonedCheckoutUrl } } }""",
        token=f"checkout_token:{order.checkout.token}",
    )
    (found,) = body["orders"]["nodes"]
    assert (found["checkoutToken"], found["cartToken"]) == (order.checkout.token, order.checkout.cart_token)
    assert found["updatedAt"] == "2026-11-20T12:01:00Z"
    assert found["customer"]["defaultPhoneNumber"] == {"phoneNumber": "+12075550100", "smsMarketingConsent": {"state": "NEVER_SUBSCRIBED"}}
    (line,) = found["lineItems"]["nodes"]
    assert line == {
        "quantity": 2,
        "variantTitle": "Moss",
        "originalUnitPriceSet": {"shopMoney": {"amount": "24.00", "currencyCode": "USD"}},
    }
    (left,) = body["abandonedCheckouts"]["nodes"]
    assert (left["name"], left["completedAt"]) == (f"#{order.checkout.number}", "2026-11-20T12:01:00Z")
    assert order.checkout.cart_token in left["abandonedCheckoutUrl"]


def test_what_the_shop_changes_shows_at_once(graph: GraphShop) -> None:
    order = graph.buy("SALT-SOAP")
    query = """query Q($id: ID!) { order(id: $id) { lineItems(first: 1) { nodes { title variant {
      price availableForSale inventoryQuantity product { onlineStoreUrl updatedAt } } product { id } } } } }"""
    gid = f"gid://shopify/Order/{order.id}"

    def line() -> Any:
        return graph.data(query, id=gid)["order"]["lineItems"]["nodes"][0]

    product, variant = graph.shop.find_variant("SALT-SOAP")
    assert (line()["variant"]["price"], line()["variant"]["availableForSale"]) == ("9.50", True)
    variant.price, variant.stock, product.is_published = variant.price + 1, 0, False
    product.updated_at = graph.at + timedelta(hours=1)
    changed = line()["variant"]
    assert (changed["price"], changed["availableForSale"], changed["inventoryQuantity"]) == ("10.50", False, 0)
    assert changed["product"] == {"onlineStoreUrl": None, "updatedAt": "2026-11-20T13:01:00Z"}
    del graph.shop.products[product.id]
    assert line() == {"title": "Sea Salt Soap", "variant": None, "product": None}


def test_inputs_may_stand_in_the_query_itself(graph: GraphShop) -> None:
    query = """mutation { discountCodeBasicCreate(basicCodeDiscount: {title: "T", code: "T", startsAt: "2026-11-20T13:00:00+01:00",
      context: {all: ALL}, customerGets: {items: {all: true}, value: {discountAmount: {amount: "7.5"}}},
      minimumRequirement: {quantity: {greaterThanOrEqualToQuantity: "2"}}}) { userErrors { message } } }"""
    assert graph.data(query)["discountCodeBasicCreate"]["userErrors"] == []
    (made,) = graph.shop.discounts
    assert made.starts_at == graph.at
    assert made.wanted["customerGets"]["value"]["discountAmount"]["amount"] == Decimal("7.5")


@pytest.mark.parametrize(
    ("part", "good", "bad"),
    [
        ("startsAt", '"2026-11-20T12:00:00Z"', '"soon"'),
        ("maximumShippingPrice", '"9.99"', '"cheap"'),
        ("context", "{all: ALL}", "{all: ALL, customers: {add: []}}"),
        ("minimumRequirement", '{quantity: {greaterThanOrEqualToQuantity: "2"}}', '{quantity: {greaterThanOrEqualToQuantity: "-2"}}'),
        ("usageLimit", "3", '"3"'),
        ("appliesOncePerCustomer", "true", "1"),
        ("code", '"F"', "{}"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_before_anything_is_done(graph: GraphShop, part: str, good: str, bad: str) -> None:
    fields = {"title": '"F"', "code": '"F"', "startsAt": '"2026-11-20T12:00:00Z"', "context": "{all: ALL}"}

    def made(value: str) -> dict[str, Any]:
        wanted = ", ".join(f"{name}: {text}" for name, text in {**fields, part: value}.items())
        return graph.ask(
            f"mutation {{ discountCodeFreeShippingCreate(freeShippingCodeDiscount: {{{wanted}}}) {{ userErrors {{ code }} }} }}"
        )

    assert graph.codes(made(bad)) == ["invalidQuery"]
    assert len(graph.shop.discounts) == 0
    assert made(good)["data"] == {"discountCodeFreeShippingCreate": {"userErrors": []}}
