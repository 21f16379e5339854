"""Foreign JSON into shapes, where many threads meet a type at the same instant."""

import subprocess
import sys

import msgspec
import pytest

from connector import decoding

# In a process of its own: what goes wrong here is a null pointer, which would take the other tests along.
MANY_FIRST_MEETINGS = """
import sys, threading
import msgspec
from connector import decoding

THREADS, TYPES = 8, 40
sys.setswitchinterval(1e-6)
right = []
for number in range(TYPES):
    inner = [
        msgspec.defstruct(f"Inner{number}x{k}", [(f"a{j}", list[dict[str, int | str]] | None, None) for j in range(5)])
        for k in range(10)
    ]
    outer = msgspec.defstruct(f"Outer{number}", [(f"f{k}", kind | None, None) for k, kind in enumerate(inner)])
    value = {f"f{k}": {f"a{j}": [{"x": k}] for j in range(5)} for k in range(10)}
    body = msgspec.json.encode(value)
    start = threading.Barrier(THREADS)

    def meet(turn):
        start.wait()
        read = decoding.decode(body, outer) if turn % 2 else decoding.convert(value, outer)
        right.append(read.f9.a4[0]["x"] == 9)

    threads = [threading.Thread(target=meet, args=[turn]) for turn in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
print(sum(right))
"""


class Cart(msgspec.Struct):
    """A shape."""

    token: str
    lines: int = 0


def test_types_that_many_threads_meet_at_once_are_read_rightly() -> None:
    done = subprocess.run([sys.executable, "-c", MANY_FIRST_MEETINGS], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "320"), done.stderr


def test_a_shape_has_one_decoder() -> None:
    assert decoding.decoder(Cart) is decoding.decoder(Cart)
    assert decoding.decoder(dict[str, str]) is decoding.decoder(dict[str, str])


@pytest.mark.parametrize("body", [b'{"token":"a","lines":2}', '{"token":"a","lines":2}', msgspec.Raw(b'{"token":"a","lines":2}')])
def test_what_has_the_shape_is_read(body: bytes | str | msgspec.Raw) -> None:
    assert decoding.decode(body, Cart) == Cart("a", 2)


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"token":1}', b'{"lines":2}', b'{"token":"a","lines":"2"}'])
def test_what_has_not_is_refused(body: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decoding.decode(body, Cart)


def test_json_without_a_shape_is_given_one() -> None:
    assert decoding.convert({"token": "a"}, Cart) == Cart("a")
    with pytest.raises(msgspec.ValidationError):
        decoding.convert({"lines": 1}, Cart)
