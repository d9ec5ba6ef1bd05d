"""Rollouts in the database: one active a family, changed by one at a time, with numbers that are theirs alone."""

from sqlalchemy import Connection

from cloud_server.storage.rows import assignments, rollouts
from cloud_server.storage.rows.assignments import AssignmentRow, HoldKind
from tests.cloud_server.harness.rollouts import EVERYBODY, NOW, begun, ended, enrolled, exposing, new_rollout


def newest(connection: Connection) -> AssignmentRow | None:
    """The newest assignment of digits, which every question for it agrees on."""
    row = assignments.newest_of(connection, "digits")
    assert [one for one in assignments.newest(connection) if one.family == "digits"] == ([] if row is None else [row])
    assert list(assignments.last_assigned(connection, "digits", 1)) == ([] if row is None else [row.counter])
    return row


def test_a_rollout_leaves_its_familys_assignment_alone_until_it_is_complete(connection: Connection) -> None:
    old = assignments.assign(connection, "digits", 1, NOW)
    row = begun(connection, [EVERYBODY])
    assert (row.old_counter, row.old_seq, row.counter) == (1, old.seq, 2)
    assert row.seq > old.seq and newest(connection) == old
    done = rollouts.complete(connection, row._replace(state="complete"), NOW + 60)
    assert done is not None and done.ended_at == NOW + 60
    assert newest(connection) == AssignmentRow("digits", row.seq, 2), "its number stays: no device asks again"
    assert assignments.last_assigned(connection, "digits", 2) == [2, 1]
    assert rollouts.active_of(connection, "digits") is None


def test_a_rollout_that_goes_back_leaves_the_old_number_and_its_own_is_never_given_again(
    connection: Connection,
) -> None:
    old = assignments.assign(connection, "digits", 1, NOW)
    given = {old.seq}
    for rollout in ("aaaa2222", "bbbb2222"):
        row = begun(connection, [EVERYBODY], new=new_rollout(rollout))
        assert row.seq not in given
        given.add(row.seq)
        ended(connection, row)
        assert newest(connection) == old
    assert assignments.assign(connection, "digits", 2, NOW).seq not in given


def test_the_first_bundle_of_a_family_can_be_rolled_out(connection: Connection) -> None:
    row = begun(connection)
    assert (row.old_counter, row.old_seq) == (None, None)
    assert newest(connection) is None
    assert rollouts.complete(connection, row, NOW)
    assert newest(connection) == AssignmentRow("digits", row.seq, 2)


def test_devices_of_the_family_may_tell_of_a_rollouts_assignment(connection: Connection) -> None:
    row, device = begun(connection), enrolled(connection, "k3v9x2mq")
    assert assignments.is_given(connection, "digits", row.seq, device)
    ended(connection, row)
    assert assignments.is_given(connection, "digits", row.seq, device), "they may still do so when it is over"
    assert not assignments.is_given(connection, "letters", row.seq, device)
    held = assignments.hold(connection, enrolled(connection, "other222"), HoldKind.PIN, 1, None, NOW)
    assert held is not None and held.seq > row.seq
    assert not assignments.is_given(connection, "digits", held.seq, device)


def test_a_family_has_one_active_rollout_at_most(connection: Connection) -> None:
    first = begun(connection)
    assert rollouts.start(connection, new_rollout("bbbb2222"), NOW) is None
    letters = begun(connection, new=new_rollout("cccc2222", "letters"))
    assert rollouts.active(connection) == [first, letters]
    ended(connection, first)
    second = begun(connection, new=new_rollout("bbbb2222"))
    assert rollouts.active(connection) == [second, letters]


def test_of_two_changes_of_one_version_the_second_is_refused(connection: Connection) -> None:
    row = begun(connection)
    after = rollouts.change(connection, row._replace(state="paused", paused_why="operator", note="noon"))
    assert after is not None and after.version == row.version + 1
    assert rollouts.change(connection, row._replace(state="aborted")) is None
    assert rollouts.complete(connection, row, NOW) is None
    assert rollouts.find(connection, row.id) == after
    assert newest(connection) is None


def test_an_ended_rollout_is_changed_no_more(connection: Connection) -> None:
    row = ended(connection, begun(connection))
    assert rollouts.change(connection, row._replace(state="stage", ended_at=None)) is None


def test_what_is_assigned_ends_the_active_rollout_of_the_family(connection: Connection) -> None:
    row = rollouts.change(connection, begun(connection, [EVERYBODY])._replace(state="paused", paused_why="gate"))
    assert row is not None
    begun(connection, new=new_rollout("cccc2222", "letters"))
    assert rollouts.supersede(connection, "digits", NOW + 9) == row.id
    assert rollouts.supersede(connection, "digits", NOW + 9) is None
    after = rollouts.find(connection, row.id)
    assert after is not None and after.paused_why is None
    assert (after.state, after.ended_at, after.version) == ("superseded", NOW + 9, row.version + 1)
    assert [one.family for one in rollouts.exposures(connection)] == ["letters"]


def test_exposures_tell_what_active_rollouts_lead_whom_to(connection: Connection) -> None:
    row = begun(connection)
    assert [one.reaches for one in rollouts.exposures(connection)] == ["[]"], "its bundle is needed before"
    row = exposing(connection, row, [EVERYBODY])
    (exposure,) = rollouts.exposures(connection)
    assert exposure == (row.id, "digits", 2, row.seq, "[[100, []]]")
    ended(connection, row)
    assert rollouts.exposures(connection) == []


def test_rollouts_come_in_pages_the_newest_first(connection: Connection) -> None:
    made = {}
    for number, family in enumerate(["digits", "letters", "digits", "digits"]):
        rollout = f"aaaa222{number}"
        begun(connection, new=new_rollout(rollout, family), now=NOW + number // 3)
        made[rollout] = ended(connection, begun_row(connection, rollout))
    assert pages(connection, None) == ["aaaa2223", "aaaa2222", "aaaa2221", "aaaa2220"]
    assert pages(connection, "digits") == ["aaaa2223", "aaaa2222", "aaaa2220"]
    assert rollouts.page(connection, "letters", None, 9) == [made["aaaa2221"]]
    assert rollouts.page(connection, None, "nobody22", 9) == []


def begun_row(connection: Connection, rollout: str) -> rollouts.RolloutRow:
    row = rollouts.find(connection, rollout)
    assert row is not None
    return row


def pages(connection: Connection, family: str | None) -> list[str]:
    """The rollouts of all pages, two on each."""
    names: list[str] = []
    while page := rollouts.page(connection, family, names[-1] if names else None, 2):
        names += [row.id for row in page]
    return names
