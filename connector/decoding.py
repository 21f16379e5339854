"""
JSON of others into msgspec shapes, from any thread.

msgspec learns what a type is made of when it first meets it, and notes the type as known before it has learnt it all: another
thread that meets the same type in between follows a null pointer, and the process dies (seen with 0.22.0). So types meet msgspec
here, one at a time, or in the constants of a module, which a single thread makes. `tests/test_architecture.py` sees to it.
"""

import threading
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

_decoders: dict[Any, msgspec.json.Decoder[Any]] = {}
_meeting = threading.Lock()


def decoder(shape: type[T]) -> msgspec.json.Decoder[T]:
    """The one decoder of a shape; whatever the shape is made of is known when it is handed out."""
    found = _decoders.get(shape)
    if found is None:
        with _meeting:
            found = _decoders.get(shape)
            if found is None:
                found = _decoders[shape] = msgspec.json.Decoder(shape)
    return found


def decode(body: bytes | str | msgspec.Raw, shape: type[T]) -> T:
    """
    JSON as this shape.

    Raises msgspec.DecodeError (its kind ValidationError for JSON of another shape), UnicodeDecodeError, and RecursionError for JSON
    without an end to its nesting.
    """
    return decoder(shape).decode(body)


def convert(value: object, shape: type[T]) -> T:
    """JSON that was read without a shape as this shape. Raises msgspec.ValidationError."""
    decoder(shape)
    return msgspec.convert(value, shape)
