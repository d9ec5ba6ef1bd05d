"""What all tables of the database belong to, and the columns that several have."""

from sqlalchemy import BigInteger, Column, MetaData

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    }
)


def sums_of(*names: str) -> list[Column[int]]:
    """Columns of numbers that are only added to."""
    return [Column(name, BigInteger, nullable=False) for name in names]


def later_sums_of(*names: str) -> list[Column[int]]:
    """The same, of a table that was there before: what it held then counts as 0."""
    return [Column(name, BigInteger, nullable=False, server_default="0") for name in names]
