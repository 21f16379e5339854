"""What a process asks its database, as it asks it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import psycopg


@contextmanager
def before_statements(react: Callable[[str], None]) -> Iterator[None]:
    """Call `react` with every statement before it is sent, by whatever way; what it raises is as if the server had said it."""
    execute = psycopg.Cursor.execute

    def told(cursor: psycopg.Cursor[Any], query: Any, *rest: Any, **options: Any) -> Any:
        if isinstance(query, str):
            react(query)
        return execute(cursor, query, *rest, **options)

    with patch.object(psycopg.Cursor, "execute", told):
        yield
