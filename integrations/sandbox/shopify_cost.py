"""
What a GraphQL query costs, and the bucket of points that it is paid from.

Scalar and enum 0, object 1, connection 2 and its items, mutation 10. The requested cost is taken first; what the answer did not
need is given back. Source: shopify.dev, "GraphQL Admin API rate limits", 2026-10.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    get_argument_values,
    get_named_type,
    get_nullable_type,
    is_composite_type,
)

MAX_QUERY_COST = 1000
MUTATION = 10
CONNECTION = 2
Clock = Callable[[], float]


class Bucket:
    """
    Points of one app in one shop, refilled by the second. Safe to use from many threads.

    `calls`, `throttled` and `spent` count what it was asked for: queries, those that it refused, and points that stayed taken.
    """

    def __init__(self, maximum: float = 2000.0, per_second: float = 100.0, clock: Clock = time.monotonic) -> None:
        self.maximum = maximum
        self.per_second = per_second
        self.calls = self.throttled = 0
        self.spent = 0.0
        self._clock = clock
        self._lock = threading.Lock()
        self._held = maximum
        self._at = clock()

    @property
    def available(self) -> float:
        """Points that can be taken now."""
        with self._lock:
            self._refill()
            return self._held

    def take(self, cost: float) -> bool:
        """Take points, all of them or none."""
        with self._lock:
            self._refill()
            self.calls += 1
            if cost > self._held:
                self.throttled += 1
                return False
            self._held -= cost
            self.spent += cost
            return True

    def give_back(self, points: float) -> None:
        """Points that were taken and not needed."""
        with self._lock:
            self._refill()
            self._held = min(self.maximum, self._held + points)
            self.spent -= points

    def drain(self) -> None:
        """Somebody else used all points of this moment."""
        with self._lock:
            self._refill()
            self._held = 0.0

    def status(self) -> dict[str, float]:
        """As `throttleStatus` says it: whole points."""
        return {"maximumAvailable": self.maximum, "currentlyAvailable": int(self.available), "restoreRate": self.per_second}

    def _refill(self) -> None:
        now = self._clock()
        self._held = min(self.maximum, self._held + (now - self._at) * self.per_second)
        self._at = now


@dataclass(frozen=True, slots=True)
class _Reckoning:
    schema: GraphQLSchema
    fragments: Mapping[str, FragmentDefinitionNode]
    variables: Mapping[str, Any]


def requested_cost(schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode, variables: Mapping[str, Any]) -> int:
    """What a valid operation may cost at most, by its `first` and `last`. `variables` are coerced ones."""
    return _operation(schema, document, operation, variables, None)


def actual_cost(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    variables: Mapping[str, Any],
    data: Mapping[str, Any] | None,
) -> int:
    """What its answer did cost: the same with the objects that are there."""
    return _operation(schema, document, operation, variables, data or {})


def _operation(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    variables: Mapping[str, Any],
    data: Mapping[str, Any] | None,
) -> int:
    fragments = {one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)}
    root = schema.get_root_type(operation.operation)
    assert root is not None
    reckoning = _Reckoning(schema, fragments, variables)
    if operation.operation is not OperationType.MUTATION:
        return _selection(reckoning, operation.selection_set, root, data)
    cost = 0
    for field in operation.selection_set.selections:
        if isinstance(field, FieldNode) and field.selection_set is not None:
            payload = get_named_type(root.fields[field.name.value].type)
            answer = data if data is None else data.get(_key(field)) or {}
            cost += MUTATION + _selection(reckoning, field.selection_set, payload, answer)
    return cost


def _selection(reckoning: _Reckoning, selection: SelectionSetNode, owner: Any, data: Mapping[str, Any] | None) -> int:
    """
    The fields asked of one object. Of fragments on several types only the dearest counts: an object is of one type.

    `data` None: nothing is known of the answer yet.
    """
    cost = 0
    by_type: dict[str, int] = {}
    for node in selection.selections:
        if isinstance(node, FieldNode):
            cost += _field(reckoning, node, owner, data)
            continue
        if isinstance(node, FragmentSpreadNode):
            fragment: FragmentDefinitionNode | InlineFragmentNode = reckoning.fragments[node.name.value]
        else:
            assert isinstance(node, InlineFragmentNode)
            fragment = node
        named = fragment.type_condition.name.value if fragment.type_condition else owner.name
        inner = _selection(reckoning, fragment.selection_set, reckoning.schema.type_map[named], data)
        by_type[named] = by_type.get(named, 0) + inner
    same = by_type.pop(owner.name, 0)
    return int(cost + same + max(by_type.values(), default=0))


def _field(reckoning: _Reckoning, node: FieldNode, owner: Any, data: Mapping[str, Any] | None) -> int:
    if node.selection_set is None or not isinstance(owner, GraphQLObjectType | GraphQLInterfaceType):
        return 0
    definition = owner.fields[node.name.value]
    named = get_named_type(definition.type)
    if not is_composite_type(named) or (data is not None and data.get(_key(node)) is None):
        return 0
    value = None if data is None else data[_key(node)]
    arguments = get_argument_values(definition, node, dict(reckoning.variables))
    if named.name.endswith("Connection"):
        return CONNECTION + _connection(reckoning, node.selection_set, named, arguments, value)
    if named.name == "PageInfo":
        return 0
    if _is_list(definition.type):
        return _list(reckoning, node.selection_set, named, arguments, value)
    return 1 + _selection(reckoning, node.selection_set, named, value)


def _list(reckoning: _Reckoning, selection: SelectionSetNode, named: Any, arguments: Mapping[str, Any], value: Any) -> int:
    """A list without pages costs as one object, unless it was asked for by ids."""
    if value is None:
        return (len(arguments["ids"]) if "ids" in arguments else 1) * (1 + _selection(reckoning, selection, named, None))
    costs = [1 + _selection(reckoning, selection, named, one) for one in value if one is not None]
    return sum(costs) if "ids" in arguments else max(costs, default=0)


def _connection(reckoning: _Reckoning, selection: SelectionSetNode, named: Any, arguments: Mapping[str, Any], value: Any) -> int:
    """The items; whether they are asked for as `nodes` or in `edges` costs the same."""
    item = 0
    for node in selection.selections:
        if not isinstance(node, FieldNode) or node.selection_set is None or node.name.value == "pageInfo":
            continue
        owner = get_named_type(named.fields[node.name.value].type)
        parts = [(None, node.selection_set)] if value is None else [(one, node.selection_set) for one in value[_key(node)]]
        for part, inner in parts:
            if node.name.value == "edges":
                item += _edge(reckoning, inner, owner, part)
            elif value is None or part is not None:
                item += 1 + _selection(reckoning, inner, owner, part)
    if value is not None:
        return item
    return item * int(arguments.get("first") or arguments.get("last") or 0)


def _edge(reckoning: _Reckoning, selection: SelectionSetNode, edge: Any, value: Any) -> int:
    cost = 0
    for node in selection.selections:
        if isinstance(node, FieldNode) and node.name.value == "node" and node.selection_set is not None:
            owner = get_named_type(edge.fields["node"].type)
            cost += 1 + _selection(reckoning, node.selection_set, owner, None if value is None else value[_key(node)])
    return cost


def _is_list(kind: Any) -> bool:
    return isinstance(get_nullable_type(kind), GraphQLList)


def _key(node: FieldNode) -> str:
    return node.alias.value if node.alias else node.name.value
