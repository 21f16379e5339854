"""What we send to Shopify, and what the pretend Shopify is made of, against the schema that Shopify publishes."""

import ast
import importlib
import inspect
import os
import pkgutil
import re
from collections.abc import Callable, Iterator
from types import ModuleType

import pytest
from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLEnumType,
    GraphQLError,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    NoDeprecatedCustomRule,
    OperationDefinitionNode,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    build_schema,
    get_named_type,
    parse,
    print_schema,
    specified_rules,
    validate,
    visit,
)

import integrations.shopify
from integrations.sandbox.shopify_bulk_query import check_bulk_query
from integrations.sandbox.shopify_schema import SDL, admin_schema
from tests.shopify_schema import MISSING, official

MODULES = [importlib.import_module(one.name) for one in pkgutil.walk_packages(integrations.shopify.__path__, "integrations.shopify.")]
OPERATION = re.compile(r"\s*(?:#[^\n]*\n\s*)*(?:query|mutation|subscription|fragment|\{)[\s({]")


@pytest.fixture(scope="module")
def published() -> GraphQLSchema:
    """Shopify's own schema."""
    return load(official, bool(os.environ.get("CI")))


def load(get: Callable[[], GraphQLSchema], is_gate: bool) -> GraphQLSchema:
    """The schema; where it was not fetched the test is skipped, but fails where the gate runs."""
    try:
        return get()
    except FileNotFoundError:
        if is_gate:
            pytest.fail(MISSING)
        pytest.skip(MISSING)


def documents() -> dict[str, str]:
    """Every text of our adapter's modules that is a GraphQL operation, by where it stands; those inside tuples and dicts too."""
    found: dict[str, str] = {}

    def keep(place: str, value: object) -> None:
        if isinstance(value, str) and OPERATION.match(value) and "{" in value:
            found[place] = value
        elif isinstance(value, tuple | list | set | frozenset):
            for number, inner in enumerate(value):
                keep(f"{place}[{number}]", inner)
        elif isinstance(value, dict):
            for key, inner in value.items():
                keep(f"{place}[{key}]", inner)

    for module in MODULES:
        for name, value in vars(module).items():
            if not name.startswith("__"):
                keep(f"{module.__name__.rpartition('.')[2]}.{name}", value)
    return found


DOCUMENTS = documents()


def differences(ours: GraphQLSchema, theirs: GraphQLSchema) -> Iterator[str]:
    """All that our schema has otherwise than theirs; what it leaves out is no difference, but for enum values."""
    for name, kind in ours.type_map.items():
        if name.startswith("__"):
            continue
        other = theirs.type_map.get(name)
        if other is None or type(other) is not type(kind):
            yield f"{name} is not there, or something else"
        else:
            yield from kind_differences(name, kind, other)
    for ours_root, theirs_root in ((ours.query_type, theirs.query_type), (ours.mutation_type, theirs.mutation_type)):
        if ours_root is None or theirs_root is None or ours_root.name != theirs_root.name:
            yield "the roots differ"


def kind_differences(name: str, kind: GraphQLNamedType, other: GraphQLNamedType) -> Iterator[str]:
    """The same for one type."""
    if isinstance(kind, GraphQLEnumType) and isinstance(other, GraphQLEnumType):
        if set(kind.values) != set(other.values):
            yield f"{name}: {sorted(set(kind.values) ^ set(other.values))}"
    elif isinstance(kind, GraphQLUnionType) and isinstance(other, GraphQLUnionType):
        strange = {one.name for one in kind.types} - {one.name for one in other.types}
        if strange:
            yield f"{name}: {sorted(strange)}"
    elif isinstance(kind, GraphQLInputObjectType) and isinstance(other, GraphQLInputObjectType):
        for field, value in kind.fields.items():
            if field not in other.fields or str(other.fields[field].type) != str(value.type):
                yield f"{name}.{field}: {value.type}"
        left_out = [field for field, value in other.fields.items() if field not in kind.fields and str(value.type).endswith("!")]
        if left_out or kind.is_one_of != other.is_one_of:
            yield f"{name} lacks {left_out}, or is another kind of input"
    elif isinstance(kind, GraphQLObjectType | GraphQLInterfaceType) and isinstance(other, GraphQLObjectType | GraphQLInterfaceType):
        strange = {one.name for one in kind.interfaces} - {one.name for one in other.interfaces}
        if strange:
            yield f"{name} is no {sorted(strange)}"
        for field_name, field in kind.fields.items():
            yield from field_differences(f"{name}.{field_name}", field, other.fields.get(field_name))


def field_differences(place: str, field: GraphQLField, other: GraphQLField | None) -> Iterator[str]:
    """The same for one field."""
    if other is None or other.deprecation_reason is not None:
        yield f"{place} is not there, or deprecated"
        return
    if str(field.type) != str(other.type):
        yield f"{place}: {field.type}, not {other.type}"
    wanted = {name: (str(one.type), one.default_value) for name, one in other.args.items() if one.deprecation_reason is None}
    if {name: (str(one.type), one.default_value) for name, one in field.args.items()} != wanted:
        yield f"{place}: its arguments differ"


def test_the_pretend_shopify_is_an_exact_part_of_the_real_schema(published: GraphQLSchema) -> None:
    ours = build_schema(SDL.read_text())
    assert list(differences(ours, published)) == []
    assert len(ours.type_map) > 200
    assert print_schema(ours) == print_schema(admin_schema())


@pytest.mark.parametrize(
    ("real", "changed", "place"),
    [
        ("  checkoutToken: String\n", "  checkoutToken: String!\n", "Order.checkoutToken"),
        ("  abandonedCheckoutUrl: URL!\n", "  abandonedCheckoutUrl: URL!\n  email: String\n", "AbandonedCheckout.email"),
        ("enum DiscountStatus {\n  ACTIVE ", "enum DiscountStatus {\n  ", "DiscountStatus"),
        ("enum DiscountStatus {\n", "enum DiscountStatus {\n  INACTIVE ", "DiscountStatus"),
        ("  node(id: ID!): Node", "  node(id: ID): Node", "QueryRoot.node"),
        (
            "  usageLimit: Int\n}\n\ntype DiscountCodeBasicUpdate",
            "  usageLimit: String\n}\n\ntype DiscountCodeBasicUpdate",
            "Input.usageLimit",
        ),
        ("union DiscountItems = ", "union DiscountItems = Product | ", "DiscountItems"),
        ("sortKey: OrderSortKeys = PROCESSED_AT", "sortKey: OrderSortKeys = ID", "QueryRoot.orders"),
    ],
)
def test_a_schema_that_differs_is_noticed(published: GraphQLSchema, real: str, changed: str, place: str) -> None:
    text = SDL.read_text()
    assert real in text, "the schema no longer has what this test changes"
    spoilt = list(differences(build_schema(text.replace(real, changed, 1)), published))
    assert any(place in one for one in spoilt), spoilt


def missing() -> GraphQLSchema:
    raise FileNotFoundError(MISSING)


def test_a_missing_schema_fails_where_the_gate_runs() -> None:
    with pytest.raises(pytest.fail.Exception, match="make schema"):
        load(missing, is_gate=True)
    with pytest.raises(pytest.skip.Exception, match="make schema"):
        load(missing, is_gate=False)


def test_our_operations_are_found() -> None:
    read = [one for text in DOCUMENTS.values() for one in parse(text).definitions]
    names = {one.name.value for one in read if isinstance(one, OperationDefinitionNode) and one.name}
    assert {"ShopProfile", "ProductsByGid"} <= names
    assert len(DOCUMENTS) >= 5


def written_inside_functions(source: str) -> list[str]:
    """Operations that stand where `documents()` does not look."""
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)]
    texts = [node.value for one in functions for node in ast.walk(one) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return [text for text in texts if OPERATION.match(text) and "{" in text]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.rpartition(".")[2])
def test_no_operation_hides_inside_a_function(module: ModuleType) -> None:
    assert written_inside_functions(inspect.getsource(module)) == []
    assert written_inside_functions('def f(): return "query Q { shop { id } }"') == ["query Q { shop { id } }"]


@pytest.mark.parametrize("place", sorted(DOCUMENTS))
def test_every_operation_that_we_send_is_valid_and_up_to_date(published: GraphQLSchema, place: str) -> None:
    document = parse(DOCUMENTS[place])
    assert validate(published, document, [*specified_rules, NoDeprecatedCustomRule]) == []
    assert validate(admin_schema(), document) == []


@pytest.mark.parametrize("place", sorted(DOCUMENTS))
def test_every_list_is_asked_for_by_pages_or_in_bulk(place: str) -> None:
    document = parse(DOCUMENTS[place])
    if unpaged(document):
        check_bulk_query(admin_schema(), document)


def unpaged(document: DocumentNode) -> list[str]:
    """The connections without `first` or `last`."""
    info, found = TypeInfo(admin_schema()), []

    class Look(Visitor):
        def enter_field(self, node: FieldNode, *_: object) -> None:
            kind = get_named_type(info.get_type()) if info.get_type() else None
            if kind is not None and kind.name.endswith("Connection") and not {"first", "last"} & {one.name.value for one in node.arguments}:
                found.append(node.name.value)

    visit(document, TypeInfoVisitor(info, Look()))
    return found


def test_what_would_not_be_answered_is_noticed(published: GraphQLSchema) -> None:
    old = parse("{ customers(first: 1) { nodes { id email } } }")
    assert validate(published, old) == []
    assert "deprecated" in validate(published, old, [NoDeprecatedCustomRule])[0].message
    assert unpaged(parse("{ orders { nodes { id } } shop { id } }")) == ["orders"]
    with pytest.raises(GraphQLError, match="edges"):
        check_bulk_query(admin_schema(), parse("{ orders { nodes { id } } }"))
