"""Reads the little of a GraphQL document that the pretend Shopify needs: the root fields and their arguments."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_WORD = re.compile(r'#[^\n]*|"(?:[^"\\]|\\.)*"|\$?[A-Za-z_]\w*|-?\d+(?:\.\d+)?|\.\.\.|[{}()\[\]:=!@|&]')


@dataclass(frozen=True, slots=True)
class Field:
    """One root field: its name, the key of its answer, and its arguments with variables filled in."""

    name: str
    alias: str
    arguments: Mapping[str, Any]


def root_fields(query: str, variables: Mapping[str, Any]) -> list[Field]:
    """The fields at the top of the first operation; fragments, nested selections and directives are passed over."""
    words = [word for word in _WORD.findall(query) if word != "!" and not word.startswith("#")]
    values = _defaults(words) | dict(variables)
    found: list[Field] = []
    depth = place = 0
    is_fragment = False
    while place < len(words):
        word = words[place]
        if depth == 0 and word == "fragment":
            is_fragment = True
        if word == "(":
            place = _close(words, place)
        elif word == "{":
            depth += 1
        elif word == "}":
            depth -= 1
            is_fragment = is_fragment and depth > 0
        elif word in {"...", "@"}:
            place += 2 if words[place + 1 : place + 2] == ["on"] else 1
        elif depth == 1 and not is_fragment and word[0].isalpha():
            field, place = _field(words, place, values)
            found.append(field)
        place += 1
    return found


def _field(words: list[str], place: int, values: Mapping[str, Any]) -> tuple[Field, int]:
    alias = name = words[place]
    if words[place + 1 : place + 2] == [":"]:
        name, place = words[place + 2], place + 2
    arguments: dict[str, Any] = {}
    if words[place + 1 : place + 2] == ["("]:
        end = _close(words, place + 1)
        inner = words[place + 2 : end]
        for position, word in enumerate(inner[:-1]):
            if word == ":":
                arguments[inner[position - 1]] = _value(inner, position + 1, values)
        place = end
    return Field(name, alias, arguments), place


def _value(words: list[str], place: int, values: Mapping[str, Any]) -> Any:
    word = words[place]
    if word == "[":
        end = words.index("]", place)
        return [_value(words, position, values) for position in range(place + 1, end)]
    if word.startswith("$"):
        return values.get(word[1:])
    if word.startswith('"'):
        return word[1:-1].replace('\\"', '"')
    known: dict[str, Any] = {"true": True, "false": False, "null": None}
    return int(word) if word.lstrip("-").isdigit() else known.get(word, word)


def _defaults(words: list[str]) -> dict[str, Any]:
    """Default values in the operation's head: `$first: Int = 50`."""
    defaults = {}
    for place, word in enumerate(words[:-4]):
        if word.startswith("$") and words[place + 1] == ":" and words[place + 3] == "=":
            defaults[word[1:]] = _value(words, place + 4, {})
    return defaults


def _close(words: list[str], place: int) -> int:
    depth = 0
    for position in range(place, len(words)):
        depth += {"(": 1, ")": -1}.get(words[position], 0)
        if depth == 0:
            return position
    return len(words)
