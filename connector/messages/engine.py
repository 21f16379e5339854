"""
The Liquid that merchants write, on a short leash.

python-liquid with strict variables and filters, only the tags and filters listed here, and a count of work that no
template can exceed. `assign` and `capture` are left out on purpose: without them no text can grow from tag to tag.
In HTML every value is escaped when it is written, literals included (the library's own autoescape trusts literals).
"""

import html
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any, TextIO

from liquid import BoundTemplate, Environment, RenderContext, StrictUndefined
from liquid.ast import Node
from liquid.builtin import content, illegal, output
from liquid.builtin.expressions import FilteredExpression
from liquid.builtin.tags import case_tag, for_tag, if_tag, unless_tag
from liquid.exceptions import FilterArgumentError, LiquidError, LiquidTypeError, LoopIterationLimitError

from connector.messages.checks import MAX_HTML, TemplateError, line_of

MAX_TEXT = 10_000
MAX_STEPS = 50_000
MAX_OUTPUT = 2 * MAX_HTML


def parse(source: str, part: str, *, escapes: bool) -> BoundTemplate:
    """Parse a checked source; `part` names it in messages. Raises TemplateError with the line for whatever Liquid refuses."""
    try:
        return _parse(source, escapes)
    except LiquidError as error:
        raise _explained(error, part) from error
    except (RecursionError, ValueError, OverflowError) as error:
        raise TemplateError(f"{part}: cannot be read ({type(error).__name__})") from error


def run(source: str, part: str, variables: Mapping[str, object], *, escapes: bool) -> str:
    """Fill a template with plain values (text, numbers, lists and dicts of them). Raises TemplateError for anything that fails."""
    template = parse(source, part, escapes=escapes)
    try:
        return template.render(variables)
    except LiquidError as error:
        raise _explained(error, part) from error
    except Exception as error:
        # Merchants' templates run inside an interpreter we did not write: whatever it raises must end as a reason on one
        # message and never stop the worker that sends the others.
        raise TemplateError(f"{part}: cannot be filled ({type(error).__name__})") from error


def check_filters(source: str, part: str) -> None:
    """Refuse filters we do not have: the library would object only while filling. Raises TemplateError with the line."""
    for name, spans in parse(source, part, escapes=False).analyze().filters.items():
        if name not in _FILTERS:
            where = f"{part}, line {line_of(source, spans[0].index)}"
            raise TemplateError(f"{where}: there is no filter '{name}' here; there are {', '.join(sorted(_FILTERS))}")


@lru_cache(maxsize=64)
def _parse(source: str, escapes: bool) -> BoundTemplate:
    return (_HTML if escapes else _PLAIN).from_string(source)


def _explained(error: LiquidError, part: str) -> TemplateError:
    token = error.token
    where = f"{part}, line {line_of(token.source, token.start_index)}" if token is not None and token.start_index >= 0 else part
    return TemplateError(f"{where}: {error.message}")


class _Context(RenderContext):
    """Counts the work done."""

    __slots__ = ("_spent",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._spent = 0

    def charge(self, steps: int) -> None:
        self._spent += steps
        if self._spent > MAX_STEPS:
            raise LoopIterationLimitError("too much work in loops", token=None)


class _Template(BoundTemplate):
    context_class = _Context


class _Engine(Environment):
    """The library's limits are kept as a second wall; the tags and filters below are all there is."""

    template_class = _Template
    block_nesting_limit = 12
    loop_iteration_limit = 10_000
    local_namespace_limit = 100_000
    output_stream_limit = MAX_OUTPUT

    def __init__(self, *, escapes: bool) -> None:
        self.escapes = escapes
        super().__init__(undefined=StrictUndefined, strict_filters=True)

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        tags = (content.Literal, _Output, illegal.Illegal, if_tag.IfTag, unless_tag.UnlessTag, case_tag.CaseTag, _For)
        for tag in (*tags, for_tag.BreakTag, for_tag.ContinueTag):
            self.add_tag(tag)
        for name, function in _FILTERS.items():
            self.add_filter(name, function)


class _ForNode(for_tag.ForNode):
    """Pays for all rounds before the first one: the library looks at the length only after it may have copied the list."""

    __slots__ = ("_round",)

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        items = self.expression.iterable.evaluate(context)
        rounds = 1
        if isinstance(items, range):
            rounds = max(items.stop - items.start, 0)
        elif isinstance(items, (list, tuple, Mapping)):
            rounds = len(items)
        assert isinstance(context, _Context)
        if not hasattr(self, "_round"):
            self._round = _weight(self.block, context)
        context.charge(rounds * self._round)
        return super().render_to_output(context, buffer)


class _For(for_tag.ForTag):
    node_class = _ForNode


class _OutputNode(output.OutputNode):
    """Writes scalars only, escaped where the environment says so."""

    __slots__ = ()

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        text = _text(self.expression.evaluate(context))
        assert isinstance(context.env, _Engine)
        return buffer.write(html.escape(text) if context.env.escapes else text)


class _Output(output.Output):
    node_class = _OutputNode


def _weight(node: Node, context: RenderContext) -> int:
    """How many things happen each time this node is rendered, loops inside counted once."""
    expression = getattr(node, "expression", None)
    filters = expression.filters or () if isinstance(expression, FilteredExpression) else ()
    return 1 + len(filters) + sum(_weight(child, context) for child in node.children(context))


def _text(value: object) -> str:
    """A scalar as text. Raises LiquidTypeError for lists and objects, FilterArgumentError for texts beyond MAX_TEXT."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, (str, int, float)):
        raise LiquidTypeError("this is a list or an object; loop over it or name one of its fields", token=None)
    text = str(value)
    if len(text) > MAX_TEXT:
        raise FilterArgumentError(f"a text grew beyond {MAX_TEXT} characters", token=None)
    return text


def _on_text(function: Callable[..., str], value: object, *arguments: object) -> str:
    return _text(function(_text(value), *arguments))


def _append(text: str, other: object = "") -> str:
    return text + _text(other)


def _prepend(text: str, other: object = "") -> str:
    return _text(other) + text


def _cut(text: str, length: object = 50, end: object = "…") -> str:
    size = _whole(length)
    return text if len(text) <= size else text[: max(size - len(_text(end)), 0)].rstrip() + _text(end)


def _cut_words(text: str, count: object = 15, end: object = "…") -> str:
    words = text.split()
    return text if len(words) <= _whole(count) else " ".join(words[: max(_whole(count), 1)]) + _text(end)


def _default(value: object, other: object = "") -> object:
    return other if value is None or value is False or value == "" or value == [] else value


def _join(value: object, separator: object = " ") -> str:
    return _text(_text(separator).join(_text(item) for item in _items(value)))


def _first(value: object) -> object:
    items = _items(value)
    return items[0] if items else None


def _last(value: object) -> object:
    items = _items(value)
    return items[-1] if items else None


def _size(value: object) -> int:
    return len(value) if isinstance(value, list) else len(_text(value))


def _plus(value: object, other: object) -> int:
    return _whole(value) + _whole(other)


def _minus(value: object, other: object) -> int:
    return _whole(value) - _whole(other)


def _items(value: object) -> list[object]:
    if not isinstance(value, list):
        raise LiquidTypeError("this filter works on lists", token=None)
    return value


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > 10**12:
        raise LiquidTypeError("a whole number is needed here", token=None)
    return value


_FILTERS: Mapping[str, Callable[..., object]] = {
    "upcase": partial(_on_text, str.upper),
    "downcase": partial(_on_text, str.lower),
    "capitalize": partial(_on_text, str.capitalize),
    "strip": partial(_on_text, str.strip),
    "append": partial(_on_text, _append),
    "prepend": partial(_on_text, _prepend),
    "truncate": partial(_on_text, _cut),
    "truncatewords": partial(_on_text, _cut_words),
    # Accepted because merchants write it by habit; values are escaped when they are written, twice would show.
    "escape": partial(_on_text, str),
    "default": _default,
    "join": _join,
    "first": _first,
    "last": _last,
    "size": _size,
    "plus": _plus,
    "minus": _minus,
}
_PLAIN = _Engine(escapes=False)
_HTML = _Engine(escapes=True)
