"""Reads the little of a GraphQL document that the pretend Shopify needs: the root fields and their arguments."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|\$?[A-Za-z_]\w*|-?\d+(?:\.\d+)?|\.\.\.|[{}()\[\]:=!@|&]')


@dataclass(frozen=True, slots=True)
class Field:
    """One root field: its name, the key of its answer, and its arguments with variables filled in."""

    name: str
    alias: str
    arguments: Mapping[str, Any]


def root_fields(query: str, variables: Mapping[str, Any]) -> list[Field]:
    """The fields at the top of the first operation; fragments, nested selections and directives are passed over."""
    tokens = [token for token in _TOKEN.findall(re.sub(r"#[^\n]*", "", query)) if token != "!"]
    values = _defaults(tokens) | dict(variables)
    found: list[Field] = []
    depth = place = 0
    is_fragment = False
    while place < len(tokens):
        token = tokens[place]
        if depth == 0 and token == "fragment":
            is_fragment = True
        if token == "(":
            place = _close(tokens, place)
        elif token == "{":
            depth += 1
        elif token == "}":
            depth -= 1
            is_fragment = is_fragment and depth > 0
        elif depth == 1 and not is_fragment and token[0].isalpha():
            field, place = _field(tokens, place, values)
            found.append(field)
        place += 1
    return found


def _field(tokens: list[str], place: int, values: Mapping[str, Any]) -> tuple[Field, int]:
    alias = name = tokens[place]
    if tokens[place + 1 : place + 2] == [":"]:
        name, place = tokens[place + 2], place + 2
    arguments: dict[str, Any] = {}
    if tokens[place + 1 : place + 2] == ["("]:
        end = _close(tokens, place + 1)
        inner = tokens[place + 2 : end]
        for position, token in enumerate(inner[:-1]):
            if token == ":":
                arguments[inner[position - 1]] = _value(inner, position + 1, values)
        place = end
    return Field(name, alias, arguments), place


def _value(tokens: list[str], place: int, values: Mapping[str, Any]) -> Any:
    token = tokens[place]
    if token == "[":
        end = tokens.index("]", place)
        return [_value(tokens, position, values) for position in range(place + 1, end)]
    if token.startswith("$"):
        return values.get(token[1:])
    if token.startswith('"'):
        return token[1:-1].replace('\\"', '"')
    known: dict[str, Any] = {"true": True, "false": False, "null": None}
    return int(token) if token.lstrip("-").isdigit() else known.get(token, token)


def _defaults(tokens: list[str]) -> dict[str, Any]:
    """Default values in the operation's head: `$first: Int = 50`."""
    defaults = {}
    for place, token in enumerate(tokens[:-4]):
        if token.startswith("$") and tokens[place + 1] == ":" and tokens[place + 3] == "=":
            defaults[token[1:]] = _value(tokens, place + 4, {})
    return defaults


def _close(tokens: list[str], place: int) -> int:
    depth = 0
    for position in range(place, len(tokens)):
        depth += {"(": 1, ")": -1}.get(tokens[position], 0)
        if depth == 0:
            return position
    return len(tokens)
