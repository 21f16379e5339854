"""The mutation that starts a bulk operation: what a bulk query may be, and how its answer becomes lines."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from graphql import (
    DocumentNode,
    ExecutionResult,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    execute,
    get_named_type,
    parse,
    validate,
)

from integrations.sandbox.shopify_bulk import Denied
from integrations.sandbox.shopify_call import GraphCall, Resolver
from integrations.sandbox.shopify_operations import bulk_object
from integrations.sandbox.shopify_search import Json

MOST_CONNECTIONS = 5
DEEPEST = 2
FULL = "Bulk operations limit reached. Please try again later."


def run_bulk_query(get_schema: Callable[[], GraphQLSchema]) -> Resolver:
    """The resolver of `bulkOperationRunQuery`."""

    def resolve(source: Any, info: Any, query: str, groupObjects: bool = False) -> Json:  # noqa: N803 - Shopify's argument
        call: GraphCall = info.context
        if call.shop.bulk.is_full:
            return _refused(FULL, "LIMIT_REACHED", None)
        try:
            document = parse(query)
            check_bulk_query(get_schema(), document)
        except GraphQLError as error:
            return _refused(f"Invalid bulk query: {error.message}", "INVALID", ["query"])
        whole = GraphCall(call.shop, call.scopes, call.search, is_whole=True)

        def lines() -> list[Json]:
            result = execute(get_schema(), document, context_value=whole)
            assert isinstance(result, ExecutionResult)
            if result.data is None:
                raise Denied
            return list(_lines(result.data, None))

        return {"bulkOperation": bulk_object(call.shop.bulk.run(query, lines, groupObjects)), "userErrors": []}

    return resolve


def check_bulk_query(schema: GraphQLSchema, document: DocumentNode) -> OperationDefinitionNode:
    """The one operation. Raises GraphQLError for a query that cannot run in bulk."""
    wrong = validate(schema, document)
    if wrong:
        raise wrong[0]
    operations = [one for one in document.definitions if isinstance(one, OperationDefinitionNode)]
    fragments = [one for one in document.definitions if isinstance(one, FragmentDefinitionNode)]
    if len(operations) != 1 or operations[0].operation is not OperationType.QUERY:
        raise GraphQLError("Bulk queries must contain exactly one query.")
    if operations[0].variable_definitions or fragments:
        raise GraphQLError("Bulk queries must be one text without variables and fragments.")
    root = schema.query_type
    depths = list(_connections(operations[0].selection_set, root, 1))
    if any(isinstance(field, FieldNode) and field.name.value in {"node", "nodes"} for field in operations[0].selection_set.selections):
        raise GraphQLError("Bulk queries cannot contain a top level `node` or `nodes` field.")
    if not depths:
        raise GraphQLError("Bulk queries must contain at least one connection.")
    if len(depths) > MOST_CONNECTIONS:
        raise GraphQLError(f"Bulk queries cannot contain more than {MOST_CONNECTIONS} connections.")
    if max(depths) > DEEPEST:
        raise GraphQLError("Bulk queries cannot contain connections with a nesting depth greater than 2.")
    return operations[0]


def _connections(selection: SelectionSetNode, owner: Any, depth: int) -> Iterator[int]:
    """The depth of each connection. Raises GraphQLError for a form that a bulk query does not have."""
    for field in selection.selections:
        if isinstance(field, InlineFragmentNode):
            yield from _connections(field.selection_set, owner, depth)
        if not isinstance(field, FieldNode) or field.selection_set is None:
            continue
        kind = get_named_type(owner.fields[field.name.value].type)
        if not kind.name.endswith("Connection"):
            if hasattr(kind, "fields"):
                yield from _connections(field.selection_set, kind, depth)
            continue
        yield depth
        node = _node_of(field)
        inner = get_named_type(get_named_type(kind.fields["edges"].type).fields["node"].type)
        below = list(_connections(node.selection_set, inner, depth + 1)) if node.selection_set else []
        if below and not _has_id(node):
            raise GraphQLError("The parent 'node' field for a nested connection must select the 'id' field without an alias.")
        yield from below


def _node_of(field: FieldNode) -> FieldNode:
    """`node` inside `edges`."""
    for edges in field.selection_set.selections if field.selection_set else ():
        if isinstance(edges, FieldNode) and edges.name.value == "edges" and edges.selection_set:
            for node in edges.selection_set.selections:
                if isinstance(node, FieldNode) and node.name.value == "node":
                    return node
    raise GraphQLError("Queries that contain a connection field must select `edges { node { … } }`.")


def _has_id(node: FieldNode) -> bool:
    fields = node.selection_set.selections if node.selection_set else ()
    return any(isinstance(one, FieldNode) and one.name.value == "id" and one.alias is None for one in fields)


def _lines(data: Mapping[str, Any], parent: str | None) -> Iterator[Json]:
    """Each node of each connection as a line of its own, children with their parent's id."""
    for value in data.values():
        if isinstance(value, Mapping) and "edges" in value:
            for edge in value["edges"]:
                own, inside = _parted(edge["node"])
                yield own if parent is None else {**own, "__parentId": parent}
                yield from _lines(inside, str(own.get("id")))
        elif isinstance(value, Mapping):
            yield from _lines(value, parent)


def _parted(node: Mapping[str, Any]) -> tuple[Json, Json]:
    """A node's own fields, and the connections inside it."""
    inside = {name: value for name, value in node.items() if isinstance(value, Mapping) and "edges" in value}
    return {name: value for name, value in node.items() if name not in inside}, inside


def _refused(words: str, code: str, path: list[str] | None) -> Json:
    return {"bulkOperation": None, "userErrors": [{"message": words, "code": code, "field": path}]}
