"""What versions cost and achieved lately, as rows: of the tables, the family and the hours that are asked for alone."""

import pytest
from sqlalchemy import Connection

from cloud_server.storage.database import add_what_waits
from cloud_server.storage.rows import sums
from cloud_server.storage.rows.version_sums import VersionAnswers, VersionBytes, answered, spent


@pytest.fixture
def database(connection: Connection) -> Connection:
    """Answers of hours 9 and 10 in two shards, of two families, with other matches and tables among them."""
    for family, tables, match, hour, shard in (
        ("digits", "v1", "exact", 9, 0),
        ("digits", "v1", "exact", 10, 0),
        ("digits", "v1", "exact", 10, 1),
        ("digits", "v1", "resized", 10, 0),
        ("digits", "v2", "exact", 10, 0),
        ("digits", "v3", "fallback", 10, 0),
        ("mill", "v1", "exact", 10, 0),
    ):
        sums.add_answer(connection, sums.AnswerSum(family, tables, match, hour, shard, 10, 1000, 4, 3, 0, 0, 2, 1))
    for family, tables, hour in (("digits", "v1", 9), ("digits", "v1", 10), ("digits", "v2", 10), ("mill", "v1", 10)):
        sums.add_bytes(connection, [sums.ByteSum(family, tables, hour, 0, 12, 1000, 1, 20, 300, 4000)])
    add_what_waits(connection)
    return connection


def test_only_what_a_versions_own_classifier_answered_is_counted(database: Connection) -> None:
    assert answered(database, "digits", ["v1", "v3"], first_hour=10) == [VersionAnswers("v1", 20, 8, 6, 4, 2)]
    assert answered(database, "digits", ["v1"], first_hour=9) == [VersionAnswers("v1", 30, 12, 9, 6, 3)]
    assert answered(database, "digits", [], first_hour=9) == []


def test_what_was_sent_is_summed_up_without_what_came_back(database: Connection) -> None:
    found = {row.tables: row for row in spent(database, "digits", ["v1", "v2"], first_hour=10)}
    assert found == {"v1": VersionBytes("v1", 12, 1000, 1321), "v2": VersionBytes("v2", 12, 1000, 1321)}
    assert spent(database, "digits", ["v1"], first_hour=9) == [VersionBytes("v1", 24, 2000, 2642)]
