"""How our columns are made: bigint keys, references that cascade, exact money, JSON and text arrays."""

from typing import Any

from sqlalchemy import ARRAY, BigInteger, CheckConstraint, Column, Computed, ForeignKey, Identity, Index, Numeric, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}
SQLModel.metadata.naming_convention = NAMING


def key() -> Any:
    """Our own key: a bigint that only the database gives out."""
    return Field(default=None, sa_column=Column("id", BigInteger, Identity(always=True), primary_key=True))


def ref(target: str, *, nullable: bool = False, index: bool = False, cascade: bool = True, primary_key: bool = False) -> Any:
    """A reference to `target` (`table.column`); with it goes this row, or without `cascade` only the reference."""
    foreign = ForeignKey(target, ondelete="CASCADE" if cascade else "SET NULL")
    return Field(sa_column=Column(BigInteger, foreign, nullable=nullable, index=index, primary_key=primary_key))


def shop_of_parent() -> Any:
    """
    The shop of a row that belongs to another row of the shop, and goes with that one.

    No reference and no index of its own: they would cost more than writing the row does, and such rows are found by their parent.
    """
    return Field(sa_column=Column(BigInteger, nullable=False))


def json(default: str) -> Any:
    """JSON that is never null; `default` is JSON text."""
    return Field(default=None, sa_column=Column(JSONB, nullable=False, server_default=text(f"'{default}'::jsonb")))


def texts() -> Any:
    """A list of texts, empty at first."""
    return Field(default_factory=list, sa_column=Column(ARRAY(Text), nullable=False, server_default=text("'{}'::text[]")))


def money(*, nullable: bool = True) -> Any:
    """An exact amount; its currency is another column."""
    return Field(default=None, sa_column=Column(Numeric, nullable=nullable))


def folded(name: str) -> Any:
    """
    Column `name` in lower case, kept by the database: to find rows by.

    An index of `lower(name)` is no help behind row level security: `lower` might tell of rows that must not be seen, so the server
    reads all rows of the shop instead.
    """
    return Field(default=None, sa_column=Column(Text, Computed(f"lower({name}::text)", persisted=True)))


def known(name: str) -> Index:
    """An index of a shop's rows by what most of them do not have: only those that have it are in it."""
    return Index(None, "shop_id", name, postgresql_where=text(f"{name} is not null"))


def one_of(name: str, *values: str) -> CheckConstraint:
    """A check that column `name` has one of these values."""
    return CheckConstraint(f"{name} in ({', '.join(repr(v) for v in values)})", name=name)
