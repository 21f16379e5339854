"""
The pretend Shopify's GraphQL Admin API over HTTP: executed on an exact part of the real schema, paid by points, refused in Shopify's words.

Source: shopify.dev, "Status and error codes", "GraphQL Admin API rate limits", 2026-10.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from graphql import (
    DocumentNode,
    ExecutionResult,
    FieldNode,
    GraphQLError,
    OperationDefinitionNode,
    execute,
    get_operation_ast,
)
from graphql.execution.values import get_variable_values
from starlette.responses import Response
from starlette.routing import Route

from integrations.sandbox.shopify_bulk import FOLDER
from integrations.sandbox.shopify_call import GraphCall
from integrations.sandbox.shopify_cost import MAX_QUERY_COST, actual_cost, requested_cost
from integrations.sandbox.shopify_faults import BAD_TOKEN, LIMITS, UNAVAILABLE
from integrations.sandbox.shopify_schema import admin_schema, read_document
from integrations.sandbox.shopify_search import Json, Search
from integrations.sandbox.shopify_shop import Shop
from integrations.sandbox.shopify_tokens import Tokens
from integrations.sandbox.web import Call, as_json, route

VERSION = "2026-10"
LONGEST_LIST = 250


@dataclass(frozen=True, slots=True)
class GraphApi:
    """The endpoint and the files of bulk operations. `versions` other than 2026-10 are answered by it, as retired ones are."""

    shop: Shop
    tokens: Tokens

    def routes(self) -> list[Route]:
        """Both."""
        return [route("/admin/api/{version}/graphql.json", self._graphql, "POST"), route(FOLDER + "/{file}", self._file)]

    def _graphql(self, call: Call) -> Response:
        if self.shop.is_frozen:
            return as_json(UNAVAILABLE, 402)
        with self.shop.lock:
            scopes = self.tokens.scopes_of(call.headers.get("x-shopify-access-token", ""))
        if scopes is None:
            return as_json(BAD_TOKEN, 401)
        try:
            asked = json.loads(call.body)
            query, variables, name = asked["query"], asked.get("variables"), asked.get("operationName")
        except (ValueError, KeyError, TypeError):
            query = variables = name = None
        if not isinstance(query, str) or not isinstance(variables, dict | None) or not isinstance(name, str | None):
            return as_json({"errors": {"query": "Required parameter missing or invalid"}}, 400)
        with self.shop.lock:
            body = answer(self.shop, scopes, query, variables or {}, name)
        return as_json(body, headers={"x-shopify-api-version": VERSION})

    def _file(self, call: Call) -> Response:
        """Another host in real life: an access token has no business here."""
        with self.shop.lock:
            if "x-shopify-access-token" in call.headers:
                self.shop.bulk.tokens_seen += 1
            number = call.parts["file"].removesuffix(".jsonl")
            content = self.shop.bulk.read(int(number) if number.isdigit() else 0, dict(call.query))
        if content is None:
            words = "<?xml version='1.0' encoding='UTF-8'?><Error><Code>ExpiredToken</Code><Message>Invalid argument.</Message></Error>"
            return Response(words, 400, media_type="application/xml")
        return Response(content, media_type="application/jsonl")


def answer(shop: Shop, scopes: tuple[str, ...], query: str, variables: Mapping[str, Any], name: str | None = None) -> Json:
    """The answer's JSON. What is wrong with the query, dear or not permitted becomes `errors`, as Shopify words them."""
    schema = admin_schema()
    try:
        document, wrong = read_document(query)
    except GraphQLError as error:
        return {"errors": [_plain(error) | {"extensions": {"code": "PARSING_ERROR"}}]}
    if wrong:
        return {"errors": [_invalid(one) for one in wrong]}
    operation = get_operation_ast(document, name)
    if operation is None:
        return {"errors": [{"message": "An operation name is required", "extensions": {"code": "MISSING_OPERATION"}}]}
    coerced = get_variable_values(schema, operation.variable_definitions or (), dict(variables))
    if isinstance(coerced, list):
        return {"errors": [_bad_variable(one) for one in coerced]}
    if (size := _longest(coerced)) > LONGEST_LIST:
        words = f"The input array size of {size} is greater than the maximum allowed of {LONGEST_LIST}."
        return {"errors": [{"message": words, "extensions": {"code": "MAX_INPUT_SIZE_EXCEEDED"}}]}
    cost = requested_cost(schema, document, operation, coerced)
    if cost > MAX_QUERY_COST:
        return {"errors": [_too_dear(cost)]}
    if not shop.bucket.take(cost):
        throttled = {"code": "THROTTLED", "documentation": LIMITS}
        return {"errors": [{"message": "Throttled", "extensions": throttled}], "extensions": _cost(shop, cost, None)}
    return _executed(GraphCall(shop, scopes, Search(ZoneInfo(shop.timezone))), document, operation, variables, cost, coerced)


def _executed(
    call: GraphCall, document: DocumentNode, operation: OperationDefinitionNode, variables: Mapping[str, Any], cost: int, coerced: Json
) -> Json:
    schema = admin_schema()
    name = operation.name.value if operation.name else None
    result = execute(schema, document, context_value=call, variable_values=dict(variables), operation_name=name)
    assert isinstance(result, ExecutionResult)
    spent = actual_cost(schema, document, operation, coerced, result.data)
    call.shop.bucket.give_back(cost - spent)
    body: Json = {"data": result.data, "extensions": _cost(call.shop, cost, spent)}
    if call.search.warnings:
        body["extensions"]["search"] = call.search.warnings
    return body | ({"errors": [one.formatted for one in result.errors]} if result.errors else {})


def _cost(shop: Shop, requested: int, actual: int | None) -> Json:
    return {"cost": {"requestedQueryCost": requested, "actualQueryCost": actual, "throttleStatus": shop.bucket.status()}}


def _too_dear(cost: int) -> Json:
    words = f"Query cost is {cost}, which exceeds the single query max cost limit ({MAX_QUERY_COST}).\n\nSee {LIMITS}"
    dear = {"code": "MAX_COST_EXCEEDED", "cost": cost, "maxCost": MAX_QUERY_COST, "documentation": LIMITS}
    return {"message": words, "extensions": dear}


def _plain(error: GraphQLError) -> Json:
    found: Json = {"message": error.message}
    if error.locations:
        found["locations"] = [{"line": one.line, "column": one.column} for one in error.locations]
    return found


def _invalid(error: GraphQLError) -> Json:
    """A query that does not fit the schema; an unknown field in Shopify's own words."""
    node = error.nodes[0] if error.nodes else None
    if isinstance(node, FieldNode) and error.message.startswith("Cannot query field"):
        owner = error.message.partition(" on type '")[2].partition("'")[0]
        strange = {"code": "undefinedField", "typeName": owner, "fieldName": node.name.value}
        words = f"Field '{node.name.value}' doesn't exist on type '{owner}'"
        return _plain(error) | {"message": words, "path": ["query", node.name.value], "extensions": strange}
    return _plain(error) | {"extensions": {"code": "invalidQuery"}}


def _bad_variable(error: GraphQLError) -> Json:
    return _plain(error) | {"extensions": {"code": "INVALID_VARIABLE"}}


def _longest(value: Any) -> int:
    """The length of the longest list in an input."""
    if isinstance(value, Mapping):
        return max((_longest(one) for one in value.values()), default=0)
    if isinstance(value, list):
        return max([len(value), *(_longest(one) for one in value)])
    return 0
