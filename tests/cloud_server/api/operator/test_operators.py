"""Operators and tokens over the operator plane: made, changed, rotated, ended, at once and at every replica."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import httpx
import pytest

from cloud_server.operators.accounts import DAY_SECONDS
from cloud_server.operators.administration import TOKENS_A_DAY_MAX, TOKENS_MAX
from cloud_server.operators.roles import Role
from cloud_server.storage.rows import operators as rows
from shared.wire import ProblemCode
from tests.cloud_server.harness.engines import Outgrown
from tests.cloud_server.harness.problems import assert_problem
from tests.cloud_server.harness.server import ServerHarness, server_in_thread
from tests.cloud_server.harness.waiting import wait_until


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerHarness]:
    """A server of this test's own, with its first admin."""
    with server_in_thread(tmp_path) as harness:
        yield harness


def make(server: ServerHarness, name: str, role: Role, **wanted: int | None) -> tuple[httpx.Client, str]:
    """A client of a new operator, and its token's id."""
    admin = server.client("operator")
    assert admin.post("/v1/operators", json={"name": name, "role": role}).status_code == 201
    made = admin.post("/v1/tokens", json={"operator": name, **wanted}).json()
    return as_holder(server, made["token"]), made["id"]


def make_token(server: ServerHarness, name: str) -> tuple[httpx.Client, str]:
    """A client of an operator with one more token, and its id."""
    made = server.client("operator").post("/v1/tokens", json={"operator": name}).json()
    return as_holder(server, made["token"]), made["id"]


def as_holder(server: ServerHarness, token: str) -> httpx.Client:
    """A client with this token."""
    return server.client("operator", headers={"authorization": f"Bearer {token}"})


def token_of(client: httpx.Client) -> str:
    return client.headers["authorization"].removeprefix("Bearer ")


def is_let_in(client: httpx.Client) -> bool:
    return client.get("/v1/bundles").status_code == 200


def test_a_new_operator_does_what_the_role_allows_and_a_changed_role_holds_at_once(server: ServerHarness) -> None:
    ada, _ = make(server, "ada", Role.VIEWER)
    assert is_let_in(ada)
    assert_problem(ada.post("/v1/claims", json={"family": "digits"}), 403, ProblemCode.ROLE_NEEDED)
    admin = server.client("operator")
    assert admin.put("/v1/operators/ada", json={"role": "operator"}).json()["role"] == "operator"
    assert ada.post("/v1/claims", json={"family": "digits"}).status_code == 201
    assert admin.put("/v1/operators/ada", json={"is_disabled": True}).json()["disabled_at"] is not None
    refused = ada.get("/v1/bundles")
    assert_problem(refused, 401, ProblemCode.ENDED_OPERATOR_TOKEN)
    assert "ada was disabled" in refused.json()["detail"]
    assert "dctwire operators enable ada" in refused.json()["detail"]
    assert_problem(admin.post("/v1/tokens", json={"operator": "ada"}), 409, ProblemCode.CONFLICT)
    assert admin.put("/v1/operators/ada", json={"is_disabled": False}).json()["disabled_at"] is None
    assert is_let_in(ada)


def test_who_does_not_hold_a_whole_token_learns_nothing_of_it(server: ServerHarness) -> None:
    ada, token_id = make(server, "ada", Role.VIEWER)
    server.client("operator").delete(f"/v1/tokens/{token_id}")
    told = ada.get("/v1/bundles")
    assert_problem(told, 401, ProblemCode.ENDED_OPERATOR_TOKEN)
    assert f"token {token_id} of ada was revoked" in told.json()["detail"]
    assert "dctwire tokens create ada" in told.json()["detail"]
    for guess in (token_of(ada)[:-1], token_of(ada).lower(), token_id, "dwo_", "ada"):
        unknown = as_holder(server, guess).get("/v1/bundles")
        assert_problem(unknown, 401, ProblemCode.INVALID_OPERATOR_TOKEN)
        assert unknown.json()["detail"] == "no operator holds this token"


def test_a_name_is_given_once_and_has_harmless_letters(server: ServerHarness) -> None:
    admin = server.client("operator")
    for name, status in (("ada", 201), ("ada", 409), ("Ada", 400), ("a da", 400), ("", 400), ("a" * 65, 400)):
        assert admin.post("/v1/operators", json={"name": name, "role": "viewer"}).status_code == status
    assert admin.post("/v1/operators", json={"name": "bob", "role": "root"}).status_code == 400
    assert_problem(admin.put("/v1/operators/nobody", json={"role": "admin"}), 404, ProblemCode.NOT_FOUND)
    assert_problem(admin.post("/v1/tokens", json={"operator": "nobody"}), 404, ProblemCode.NOT_FOUND)


@pytest.mark.parametrize(
    "change", [{"role": "approver"}, {"is_disabled": True}, {"role": "viewer", "is_disabled": True}]
)
def test_the_last_admin_stays_one(server: ServerHarness, change: dict[str, object]) -> None:
    admin = server.client("operator")
    make(server, "bob", Role.APPROVER)
    assert_problem(admin.put("/v1/operators/admin", json=change), 409, ProblemCode.CONFLICT)
    assert admin.put("/v1/operators/bob", json={"role": "admin"}).status_code == 200
    assert admin.put("/v1/operators/admin", json=change).status_code == 200


def test_a_token_expires_and_says_so(server: ServerHarness) -> None:
    ada, token_id = make(server, "ada", Role.VIEWER, days=1)
    with server.database() as database:
        database.exec_driver_sql(f"UPDATE operator_tokens SET expires_at = 1000000 WHERE id = '{token_id}'")
    wait_until(lambda: not is_let_in(ada))
    assert f"token {token_id} of ada expired on 1970-01-12" in ada.get("/v1/bundles").json()["detail"]


def test_a_token_without_expiry_is_made_only_when_that_is_said(server: ServerHarness) -> None:
    make(server, "ada", Role.VIEWER)
    make(server, "robot", Role.TRAINER, days=None)
    listed = {row["operator"]: row for row in server.client("operator").get("/v1/tokens").json()["tokens"]}
    assert listed["robot"]["expires_at"] is None
    assert listed["ada"]["expires_at"] - listed["ada"]["created_at"] == pytest.approx(90 * DAY_SECONDS)


def test_whoever_rotates_their_token_has_a_new_one_and_the_old_one_for_as_long_as_was_said(
    server: ServerHarness,
) -> None:
    ada, token_id = make(server, "ada", Role.VIEWER)
    made = ada.post("/v1/tokens/self/rotation", json={"overlap_hours": 1}).json()
    assert is_let_in(ada) and is_let_in(as_holder(server, made["token"]))
    old = next(row for row in ada.get("/v1/tokens").json()["tokens"] if row["id"] == token_id)
    assert old["expires_at"] - made["created_at"] == pytest.approx(3600, abs=1)
    last = as_holder(server, made["token"]).post("/v1/tokens/self/rotation", json={"overlap_hours": 0}).json()
    assert not is_let_in(as_holder(server, made["token"]))
    assert is_let_in(as_holder(server, last["token"]))
    dead = server.client("operator").post(f"/v1/tokens/{made['id']}/rotation", json={})
    assert_problem(dead, 404, ProblemCode.NOT_FOUND)


def test_a_rotated_token_lasts_no_longer_than_the_one_before_unless_an_admin_asks(server: ServerHarness) -> None:
    ada, token_id = make(server, "ada", Role.APPROVER, days=1)
    made = ada.post("/v1/tokens/self/rotation", json={"days": None}).json()
    assert made["expires_at"] - made["created_at"] == pytest.approx(DAY_SECONDS)
    admin = server.client("operator")
    rotations = admin.get("/v1/audit", params={"subject": token_id}).json()["entries"]
    assert [row["action"] for row in rotations] == ["token.rotate"]
    assert admin.post(f"/v1/tokens/{made['id']}/rotation", json={"days": None}).json()["expires_at"] is None


def test_revoking_a_token_revokes_what_was_rotated_from_it_and_says_which(server: ServerHarness) -> None:
    ada, first = make(server, "ada", Role.VIEWER)
    kept, _ = make_token(server, "ada")
    second = ada.post("/v1/tokens/self/rotation", json={}).json()
    thief = as_holder(server, second["token"])
    third = thief.post("/v1/tokens/self/rotation", json={}).json()
    assert (second["rotated_from"], third["rotated_from"]) == (first, second["id"])
    admin = server.client("operator")
    revoked = admin.delete(f"/v1/tokens/{first}").json()
    assert revoked["also_revoked"] == [second["id"], third["id"]]
    assert not any(map(is_let_in, (ada, thief, as_holder(server, third["token"]))))
    assert is_let_in(kept)
    assert admin.delete(f"/v1/tokens/{first}").json()["also_revoked"] == []
    noted = admin.get("/v1/audit", params={"action": "token.revoke"}).json()["entries"][::-1]
    assert [(row["subject"], row["after"].get("revoked_with")) for row in noted] == [
        (second["id"], first),
        (third["id"], first),
        (first, None),
    ]


def test_what_was_rotated_from_a_token_of_a_disabled_operator_stays_revoked_when_they_are_enabled(
    server: ServerHarness,
) -> None:
    ada, first = make(server, "ada", Role.VIEWER)
    second = ada.post("/v1/tokens/self/rotation", json={"overlap_hours": 0}).json()
    admin = server.client("operator")
    admin.put("/v1/operators/ada", json={"is_disabled": True})
    assert admin.delete(f"/v1/tokens/{first}").json()["also_revoked"] == [second["id"]]
    admin.put("/v1/operators/ada", json={"is_disabled": False})
    assert not is_let_in(as_holder(server, second["token"]))


def test_revoking_a_token_spares_the_one_from_which_it_was_rotated(server: ServerHarness) -> None:
    ada, _ = make(server, "ada", Role.VIEWER)
    second = ada.post("/v1/tokens/self/rotation", json={}).json()
    assert ada.delete(f"/v1/tokens/{second['id']}").json()["also_revoked"] == []
    assert is_let_in(ada)


def test_a_token_rotates_itself_alone_so_that_a_stolen_one_leaves_no_other_family_behind(server: ServerHarness) -> None:
    ada, _ = make(server, "ada", Role.APPROVER, days=1)
    _, lasting = make_token(server, "ada")
    assert_problem(ada.post(f"/v1/tokens/{lasting}/rotation", json={}), 403, ProblemCode.ROLE_NEEDED)
    assert server.client("operator").post(f"/v1/tokens/{lasting}/rotation", json={}).status_code == 201


def test_a_rotation_is_noted_with_the_new_end_of_the_old_token(server: ServerHarness) -> None:
    ada, first = make(server, "ada", Role.VIEWER)
    made = ada.post("/v1/tokens/self/rotation", json={"overlap_hours": 1}).json()
    (noted,) = server.client("operator").get("/v1/audit", params={"action": "token.rotate"}).json()["entries"]
    assert (noted["subject"], noted["before"]["id"], noted["after"]["id"]) == (first, first, made["id"])
    assert noted["after"]["replaced_expires_at"] - made["created_at"] == pytest.approx(3600, abs=1)


def test_others_tokens_are_an_admins_alone_to_see_and_end(server: ServerHarness) -> None:
    ada, _ = make(server, "ada", Role.APPROVER)
    bob, bobs = make(server, "bob", Role.VIEWER)
    assert {row["operator"] for row in ada.get("/v1/tokens?operator=bob").json()["tokens"]} == {"ada"}
    assert_problem(ada.delete(f"/v1/tokens/{bobs}"), 403, ProblemCode.ROLE_NEEDED)
    assert_problem(ada.post(f"/v1/tokens/{bobs}/rotation", json={}), 403, ProblemCode.ROLE_NEEDED)
    assert is_let_in(bob)
    revoked = server.client("operator").delete(f"/v1/tokens/{bobs}")
    assert revoked.json()["revoked_at"] is not None and not is_let_in(bob)
    assert ada.delete("/v1/tokens/self").status_code == 200
    assert not is_let_in(ada)


def test_nobody_piles_up_tokens(server: ServerHarness) -> None:
    ada, _ = make(server, "ada", Role.VIEWER)
    made = [ada.post("/v1/tokens/self/rotation", json={}).status_code for _ in range(TOKENS_MAX)]
    assert made == [201] * (TOKENS_MAX - 1) + [409]


def test_nobody_fills_the_database_with_dead_tokens(server: ServerHarness) -> None:
    _, token_id = make(server, "ada", Role.VIEWER)
    admin = server.client("operator")
    for _ in range(TOKENS_A_DAY_MAX):
        made = admin.post(f"/v1/tokens/{token_id}/rotation", json={"overlap_hours": 0})
        assert made.status_code == 201
        token_id = made.json()["id"]
    refused = admin.post(f"/v1/tokens/{token_id}/rotation", json={"overlap_hours": 0})
    assert_problem(refused, 409, ProblemCode.CONFLICT)
    assert is_let_in(as_holder(server, made.json()["token"]))
    assert is_let_in(make_token(server, "ada")[0]), "whoever rotates a stolen one cannot keep its owner out"
    with server.database() as database:
        database.exec_driver_sql("UPDATE operator_tokens SET created_at = created_at - 86400")
    assert admin.post(f"/v1/tokens/{token_id}/rotation", json={}).status_code == 201


def test_when_a_token_was_last_used_is_noted(server: ServerHarness) -> None:
    ada, token_id = make(server, "ada", Role.VIEWER)
    assert is_let_in(ada)

    def is_noted() -> bool:
        listed = server.client("operator").get("/v1/tokens?operator=ada").json()["tokens"]
        return listed[0]["id"] == token_id and listed[0]["last_used_at"] is not None

    wait_until(is_noted)


def test_what_one_replica_changes_the_other_knows_and_only_one_makes_the_first_admin(
    outgrown: Outgrown, tmp_path: Path
) -> None:
    with server_in_thread(tmp_path / "one", outgrown) as one:
        other_data = tmp_path / "other" / "data"
        outgrown.share(other_data, with_data=one.data)
        other_data.mkdir(parents=True)
        with server_in_thread(tmp_path / "other", outgrown, keys=one.data / "keys") as other:
            assert not (other_data / "admin-token").exists()
            other.first_data = one.data
            ada, token_id = make(one, "ada", Role.VIEWER)
            bob, _ = make(one, "bob", Role.VIEWER)
            rotated = ada.post("/v1/tokens/self/rotation", json={}).json()["token"]
            at_other = [as_holder(other, token) for token in (token_of(ada), rotated)]
            assert all(map(is_let_in, at_other))
            assert one.client("operator").delete(f"/v1/tokens/{token_id}").status_code == 200
            wait_until(lambda: not any(map(is_let_in, at_other)))
            bob_at_other = as_holder(other, token_of(bob))
            assert is_let_in(bob_at_other)
            assert one.client("operator").put("/v1/operators/bob", json={"is_disabled": True}).status_code == 200
            wait_until(lambda: not is_let_in(bob_at_other))


def is_waiting(server: ServerHarness) -> bool:
    """Whether anybody waits for a row that another transaction holds."""
    with server.database() as database:
        query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        return bool(database.exec_driver_sql(query).scalar_one())


def test_a_token_that_is_revoked_while_another_replica_rotates_it_takes_the_new_one_along(
    outgrown: Outgrown, tmp_path: Path
) -> None:
    with server_in_thread(tmp_path, outgrown) as server, ThreadPoolExecutor(1) as thread:
        _, first = make(server, "ada", Role.VIEWER)
        with server.database() as other:
            rows.find(other, "ada")
            revocation = thread.submit(server.client("operator").delete, f"/v1/tokens/{first}")
            wait_until(lambda: is_waiting(server))
            rows.add_token(other, rows.NewToken("00000001", "ada", b"new", 0, None, rotated_from=first))
        assert revocation.result().json()["also_revoked"] == ["00000001"]


def test_a_token_that_is_rotated_while_another_replica_revokes_it_makes_no_new_one(
    outgrown: Outgrown, tmp_path: Path
) -> None:
    with server_in_thread(tmp_path, outgrown) as server, ThreadPoolExecutor(1) as thread:
        ada, first = make(server, "ada", Role.VIEWER)
        with server.database() as other:
            rows.find(other, "ada")
            rotation = thread.submit(partial(ada.post, "/v1/tokens/self/rotation", json={}))
            wait_until(lambda: is_waiting(server))
            rows.revoke(other, first, 1)
        assert_problem(rotation.result(), 404, ProblemCode.NOT_FOUND)


@pytest.mark.parametrize("asked", ["name", "tables", "outcome"])
def test_a_device_is_not_looked_for_by_control_characters(server: ServerHarness, asked: str) -> None:
    assert_problem(server.client("operator").get(f"/v1/devices?{asked}=a%00"), 400, ProblemCode.BAD_REQUEST)
