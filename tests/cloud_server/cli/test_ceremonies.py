"""Keys that come and go, with a real server, and devices that were shipped the first root and are left alone."""

import base64
import contextlib
import hashlib
import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from typer.testing import CliRunner

from cloud_server.cli.app import app
from cloud_server.cli.ceremonies import Ceremony, KeyChange, sign
from cloud_server.cli.operator_client import OperatorClient
from cloud_server.cli.publishing import ModelFolder, TooFewSignaturesError, initialise_trust, publish_folder
from shared.errors import RefusedError
from shared.trust import (
    ONLINE_ROLES,
    NotPublishedError,
    Role,
    RoleChange,
    RootFacts,
    TrustClient,
    TrustError,
    create_key,
    load_keys,
    new_key,
    next_root,
    noted_signer,
    parse_targets,
)
from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.frames import tables
from tests.cloud_server.harness.server import ServerHarness, server_in_thread
from tests.cloud_server.harness.waiting import wait_until

NOW = datetime.now(UTC)


class Fleet:
    """A server with family digits, its operator, and a device with the first root."""

    def __init__(self, harness: ServerHarness, client: OperatorClient, folder: Path) -> None:
        self.harness, self._client, self._folder = harness, client, folder
        self._shipped = (harness.keys / "root.json").read_bytes()
        self._published = 0

    def ceremony(self, keys: Path | None = None, now: datetime | None = None, passphrase: bytes = b"") -> Ceremony:
        return Ceremony(self._client, keys or self.harness.keys, now or datetime.now(UTC), lambda _path: passphrase)

    def publish(self, now: datetime | None = None, signed: bytes | None = None, passphrase: bytes = b"") -> None:
        folder = self._folder / "bundles" / str(self._published + 1)
        if not folder.exists():
            write_bundle(folder, "digits", self._published + 1, tables(50 + self._published), seed=self._published)
        checked, keys = ModelFolder.read(folder), self.harness.keys
        when = now or datetime.now(UTC)
        publish_folder(
            self._client, checked, keys, when, lambda _step: None, passphrase=lambda _path: passphrase, signed=signed
        )
        self._published += 1

    def device_gets_the_newest(self, device: str = "device") -> bool:
        def fetch(name: str, _limit_bytes: int, _seconds: float) -> Iterator[bytes]:
            answer = self.harness.client("device").get(f"/tuf/{name}")
            if answer.status_code == 404:
                raise NotPublishedError(name)
            yield answer.content

        client = TrustClient(self._folder / device, self._shipped, fetch, "digits")
        data = client.download(f"digits/{self._published}.json").data
        return data == (self._folder / "bundles" / str(self._published) / "bundle.json").read_bytes()


@contextlib.contextmanager
def fleet_in(directory: Path) -> Iterator[Fleet]:
    with (
        server_in_thread(directory) as harness,
        contextlib.closing(_operator(harness)) as client,
    ):
        yield Fleet(harness, client, directory / "fleet")


def _operator(harness: ServerHarness) -> OperatorClient:
    return OperatorClient(harness.addresses["operator"], harness.admin_token)


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with fleet_in(tmp_path) as made:
        yield made


@pytest.mark.parametrize("role", [*Role])
def test_keys_of_any_role_are_rotated_and_devices_follow_by_themselves(fleet: Fleet, role: Role) -> None:
    fleet.publish()
    assert fleet.device_gets_the_newest()
    before = RootFacts.of((fleet.harness.keys / "root.json").read_bytes()).roles[role]
    for _ in range(2):
        fleet.ceremony().rotate([role], fleet.harness.data / "keys")
        assert fleet.device_gets_the_newest(), "what was published before is still believed"
    fleet.publish()
    assert fleet.device_gets_the_newest()
    assert fleet.device_gets_the_newest("a device that was switched off until now")
    after = RootFacts.of((fleet.harness.keys / "root.json").read_bytes())
    assert after.version == 3
    assert not set(after.roles[role].keyids) & set(before.keyids)


@pytest.mark.parametrize("roles", [(Role.TIMESTAMP, Role.SNAPSHOT), (*Role,)])
def test_keys_of_several_roles_are_rotated_by_one_root(fleet: Fleet, roles: tuple[Role, ...]) -> None:
    fleet.publish()
    assert fleet.device_gets_the_newest()
    before = RootFacts.of((fleet.harness.keys / "root.json").read_bytes()).roles
    words = ["trust", "rotate", *roles, "--keys", str(fleet.harness.keys), "--data", str(fleet.harness.data)]
    result = CliRunner().invoke(app, words, env=fleet.harness.as_operator)
    assert "Root version 2 is published" in result.output
    after = RootFacts.of((fleet.harness.keys / "root.json").read_bytes())
    changed = {role for role in Role if not set(after.roles[role].keyids) & set(before[role].keyids)}
    assert (after.version, changed) == (2, set(roles))
    fleet.publish()
    assert fleet.device_gets_the_newest()


def test_a_root_for_several_roles_that_waits_goes_on_with_the_keys_that_were_made_for_it(tmp_path: Path) -> None:
    approver = tmp_path / "approver"
    with fleet_of_two(tmp_path) as fleet:
        for _ in range(2):
            with pytest.raises(TooFewSignaturesError, match="1/2"):
                fleet.ceremony().rotate([Role.TIMESTAMP, Role.SNAPSHOT], fleet.harness.data / "keys")
        online = sorted(path.name for path in (fleet.harness.data / "keys").glob("*.pem"))
        assert len(online) == 4, f"one new key each: {online}"
        waiting = tmp_path / "keys" / "2.root.json"
        fleet.ceremony().push(sign(waiting.read_bytes(), approver, _none))
        assert RootFacts.of((tmp_path / "keys" / "root.json").read_bytes()).version == 2


def test_after_a_year_without_a_publication_lists_are_signed_anew_with_the_old_root(tmp_path: Path) -> None:
    with fleet_in(tmp_path) as fleet:
        signed_at = datetime.now(UTC) - timedelta(days=365) + timedelta(seconds=15)
        fleet.publish(signed_at)
        wait_until(lambda: datetime.now(UTC) > signed_at + timedelta(days=365))
        with pytest.raises(TrustError, match="expired"):
            fleet.device_gets_the_newest()
        fleet.ceremony().renew(["digits"])
        assert fleet.device_gets_the_newest()
        expiry = fleet.harness.client("operator").get("/v1/tuf/status").json()["families"][0]["targets_expire_at"]
        assert expiry > (NOW + timedelta(days=360)).timestamp()


def test_two_persons_release_where_the_root_says_so(tmp_path: Path) -> None:
    approver = tmp_path / "approver"
    with fleet_of_two(tmp_path) as fleet:
        with pytest.raises(TooFewSignaturesError, match="1/2"):
            fleet.publish()
        waiting = tmp_path / "keys" / "digits.to-sign.json"
        with pytest.raises(RefusedError, match="signed by 1/2"):
            fleet.publish(signed=waiting.read_bytes())
        shown = CliRunner().invoke(app, ["trust", "sign", str(waiting), "--keys", str(approver), "--dry-run"])
        bundle = (tmp_path / "fleet" / "bundles" / "1" / "bundle.json").read_bytes()
        assert f"digits/1.json  SHA-256 {hashlib.sha256(bundle).hexdigest()}" in shown.stdout
        with pytest.raises(RefusedError, match="signed by 1/2"):
            fleet.publish(signed=waiting.read_bytes())
        fleet.publish(signed=sign(waiting.read_bytes(), approver, _none))
        assert fleet.device_gets_the_newest()

        with pytest.raises(TooFewSignaturesError, match="1/2"):
            fleet.ceremony().rotate([Role.SNAPSHOT], fleet.harness.data / "keys")
        shown = CliRunner().invoke(app, ["trust", "sign", f"{tmp_path}/keys/2.root.json", "--keys", str(approver)])
        assert "Root version 2, until" in shown.stdout and "targets: 2 must sign of" in shown.stdout
        pushed = sign((tmp_path / "keys" / "2.root.json").read_bytes(), approver, _none)
        fleet.ceremony().push(pushed)
        assert fleet.device_gets_the_newest()


@contextlib.contextmanager
def fleet_of_two(tmp_path: Path) -> Iterator[Fleet]:
    """Two must sign as root and as targets; the second keys are in a folder `approver`."""
    initialise_trust(tmp_path / "keys", tmp_path / "data", NOW, thresholds={Role.TARGETS: 2, Role.ROOT: 2})
    approver = tmp_path / "approver"
    approver.mkdir()
    shutil.copy(tmp_path / "keys" / "root.json", approver)
    for role in (Role.TARGETS, Role.ROOT):
        [key] = (tmp_path / "keys").glob(f"{role}-*.pem")
        key.rename(approver / key.name)
    with fleet_in(tmp_path) as fleet:
        yield fleet


def _signed_by_the_other(waiting: Path) -> None:
    waiting.write_bytes(sign(waiting.read_bytes(), waiting.parent.parent / "approver", _none))


def _typed(fleet: Fleet, *words: str) -> Any:
    where = ["--keys", str(fleet.harness.keys), "--server", fleet.harness.addresses["operator"]]
    return CliRunner().invoke(app, ["trust", *words, *where], env=fleet.harness.as_operator)


def test_a_change_that_waits_for_others_goes_on_when_it_is_repeated(tmp_path: Path) -> None:
    with fleet_of_two(tmp_path) as fleet:
        keys, waiting = fleet.harness.keys, fleet.harness.keys / "digits.to-sign.json"
        with pytest.raises(TooFewSignaturesError):
            fleet.publish()
        _signed_by_the_other(waiting)
        fleet.publish()
        for _ in range(2):
            failed = _typed(fleet, "add-key", "targets", "--threshold", "3")
            assert (failed.exit_code, len([*keys.glob("targets-*.pem")])) == (1, 1), failed.output
            assert "digits.to-sign.json waits" in failed.stderr and "2.root.json waits" in failed.stderr
        _signed_by_the_other(waiting)
        _signed_by_the_other(keys / "2.root.json")
        done = _typed(fleet, "add-key", "targets", "--threshold", "3")
        assert done.exit_code == 0, done.output
        assert fleet.device_gets_the_newest()


def test_what_others_have_signed_is_never_written_over_by_another_change(tmp_path: Path) -> None:
    with fleet_of_two(tmp_path) as fleet:
        waiting = fleet.harness.keys / "2.root.json"
        assert _typed(fleet, "add-key", "targets").exit_code == 1
        _signed_by_the_other(waiting)
        before = waiting.read_bytes()
        failed = _typed(fleet, "add-key", "root")
        assert "others have signed it" in failed.stderr and waiting.read_bytes() == before
        assert not [*fleet.harness.keys.glob("root-*.pem")], "no key is made for a change that cannot be"


def test_who_joins_makes_a_key_and_only_its_public_half_travels(fleet: Fleet, tmp_path: Path) -> None:
    fleet.publish()
    joiner = tmp_path / "joiner"
    secret = tmp_path / "passphrase"
    secret.write_text("correct horse")
    words = ["trust", "new-key", "targets", "--keys", str(joiner), "--passphrase-file", str(secret), "--json"]
    made = json.loads(CliRunner().invoke(app, words).stdout)
    assert b"ENCRYPTED" in Path(made["private"]).read_bytes()
    added = _typed(fleet, "add-key", "targets", "--public-key", made["public"])
    assert added.exit_code == 0, added.output
    assert "may sign for targets already" in _typed(fleet, "add-key", "targets", "--public-key", made["public"]).stderr
    shutil.copy(fleet.harness.keys / "root.json", joiner)
    fleet.ceremony(joiner, passphrase=b"correct horse").renew(["digits"])
    targets = fleet.harness.client("operator").get("/v1/tuf/digits/targets").content
    assert [*parse_targets(targets).signatures] == [made["key"]]
    assert fleet.device_gets_the_newest()


def test_who_joins_signs_the_lists_that_the_next_root_needs(fleet: Fleet, tmp_path: Path) -> None:
    fleet.publish()
    joiner, keys = tmp_path / "joiner", fleet.harness.keys
    public = new_key(joiner, Role.TARGETS)
    public.write()
    words = ("add-key", "targets", "--public-key", str(public.write_public()), "--threshold", "2")
    assert _typed(fleet, *words).exit_code == 1
    for name in ("root.json", "2.root.json"):
        shutil.copy(keys / name, joiner)
    waiting = keys / "digits.to-sign.json"
    waiting.write_bytes(sign(waiting.read_bytes(), joiner, _none))
    done = _typed(fleet, *words)
    assert done.exit_code == 0, done.output
    assert fleet.device_gets_the_newest()


def test_a_list_that_is_published_already_is_pushed_again_without_a_change(fleet: Fleet, tmp_path: Path) -> None:
    fleet.publish()
    published = tmp_path / "published.json"
    published.write_bytes(fleet.harness.client("operator").get("/v1/tuf/digits/targets").content)
    pushed = _typed(fleet, "push", str(published))
    assert (pushed.exit_code, "nothing has changed" in pushed.stdout) == (0, True), pushed.output


def test_root_keys_alone_let_a_targets_key_in_and_out_again_while_lists_stay_believed(fleet: Fleet) -> None:
    fleet.publish()
    (fleet.harness.keys / "targets.pem").rename(fleet.harness.keys / "elsewhere")
    added = create_key(fleet.harness.keys / "joiner", Role.TARGETS)
    fleet.ceremony().change_root(KeyChange(Role.TARGETS, [added]))
    root = fleet.ceremony().change_root(KeyChange(Role.TARGETS, removed=[added.public_key.keyid]))
    assert RootFacts.of(root).version == 3
    signed_with = RootFacts.of(root).roles[Role.TARGETS].keyids
    with pytest.raises(TrustError, match="no key that may sign"):
        fleet.ceremony().change_root(KeyChange(Role.TARGETS, [added], signed_with))
    assert fleet.device_gets_the_newest()


def _none(_path: Path) -> bytes:
    raise AssertionError("no key here has a passphrase")


def test_a_stolen_targets_key_signs_nothing_more_once_it_is_removed(fleet: Fleet, tmp_path: Path) -> None:
    fleet.publish()
    stolen = tmp_path / "stolen"
    shutil.copytree(fleet.harness.keys, stolen)
    [old] = RootFacts.of((stolen / "root.json").read_bytes()).roles[Role.TARGETS].keyids
    added = create_key(fleet.harness.keys, Role.TARGETS, is_further=True)
    fleet.ceremony().change_root(KeyChange(Role.TARGETS, [added]))
    fleet.ceremony().change_root(KeyChange(Role.TARGETS, removed=[old]))
    assert fleet.device_gets_the_newest()
    with pytest.raises(TrustError, match="no key that may sign"):
        fleet.ceremony(stolen).renew(["digits"])
    fleet.publish()
    assert fleet.device_gets_the_newest()


def test_a_root_that_would_make_devices_disbelieve_what_is_published_is_refused(fleet: Fleet) -> None:
    fleet.publish()
    keys = fleet.harness.keys
    root = (keys / "root.json").read_bytes()
    [old] = RootFacts.of(root).roles[Role.TARGETS].keyids
    stranger = create_key(keys, Role.TARGETS, is_further=True)
    offered = next_root(
        root,
        load_keys(keys, Role.ROOT),
        datetime.now(UTC),
        RoleChange(Role.TARGETS, added=[stranger.public_key], removed=[old]),
    )
    with pytest.raises(RefusedError, match="nobody would believe the targets of digits"):
        fleet.ceremony().push(offered)
    assert fleet.device_gets_the_newest()


@pytest.mark.parametrize("attack", ["replayed", "skipped", "other signer", "online key", "dated ahead", "expired"])
def test_a_root_that_does_not_follow_is_refused_by_the_server(fleet: Fleet, tmp_path: Path, attack: str) -> None:
    keys = fleet.harness.keys
    first, signers, now = (keys / "root.json").read_bytes(), load_keys(keys, Role.ROOT), datetime.now(UTC)
    second = next_root(first, signers, now)
    fleet.ceremony().push(second)
    stranger = [create_key(tmp_path / "stranger", Role.ROOT)]
    online = create_key(tmp_path / "stranger", Role.TIMESTAMP)
    offered = {
        "replayed": first,
        "skipped": next_root(next_root(second, signers, now), signers, now),
        "other signer": next_root(second, stranger, now),
        "online key": next_root(
            second, signers, now, RoleChange(Role.TIMESTAMP, added=[online.public_key], removed=_online(first))
        ),
        "dated ahead": next_root(second, signers, now + timedelta(days=2)),
        "expired": next_root(second, signers, now - timedelta(days=3651)),
    }[attack]
    answer = fleet.harness.client("operator").put("/v1/tuf/root", json={"root": _text(offered)})
    lacks_its_key = attack == "online key"  # which another replica, or this one later, may have
    refused = (503, "not-ready") if lacks_its_key else (422, "untrusted")
    assert (answer.status_code, answer.json()["code"]) == refused
    assert fleet.harness.client("device").get("/tuf/3.root.json").status_code == 404


def _online(root: bytes) -> tuple[str, ...]:
    return RootFacts.of(root).roles[Role.TIMESTAMP].keyids


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_keys_with_a_passphrase_sign_for_who_knows_it_alone(tmp_path: Path) -> None:
    initialise_trust(tmp_path / "keys", tmp_path / "data", NOW, passphrase=b"correct horse")
    for name in ("root.pem", "targets.pem"):
        data = (tmp_path / "keys" / name).read_bytes()
        assert b"ENCRYPTED" in data
        with pytest.raises(TypeError):
            load_pem_private_key(data, None)
    with fleet_in(tmp_path) as fleet:
        with pytest.raises(TrustError, match=r"targets\.pem: no usable key"):
            fleet.publish(passphrase=b"wrong")
        fleet.publish(passphrase=b"correct horse")
        assert fleet.device_gets_the_newest()
        words = ["publish", str(tmp_path / "fleet" / "bundles" / "1"), "--keys", str(tmp_path / "keys")]
        words += ["--server", fleet.harness.addresses["operator"]]
        again = CliRunner().invoke(app, words, env=fleet.harness.as_operator)
        assert "nothing has changed" in again.stdout, "nothing is to be signed, so that no passphrase is asked for"


def test_the_status_says_which_file_holds_which_key_and_which_one_no_root_names(tmp_path: Path) -> None:
    secret = tmp_path / "passphrase"
    secret.write_text("correct horse")
    initialise_trust(tmp_path / "keys", tmp_path / "data", NOW, passphrase=b"correct horse")
    keys = ["--keys", str(tmp_path / "keys"), "--passphrase-file", str(secret)]
    CliRunner().invoke(app, ["trust", "new-key", "targets", *keys])
    (spare,) = (tmp_path / "keys").glob("targets-*.pem")
    (tmp_path / "keys" / "targets-junk.pem").write_bytes(b"junk")
    with fleet_in(tmp_path) as fleet:
        document = json.loads(_typed(fleet, "status", "--passphrase-file", str(secret), "--json").stdout)
        words = ["trust", "status", "--keys", str(tmp_path / "data" / "keys"), "--json"]
        words += ["--server", fleet.harness.addresses["operator"]]
        online = json.loads(CliRunner().invoke(app, words, env=fleet.harness.as_operator).stdout)
        shown = _typed(fleet, "status", "--passphrase-file", str(secret))
        closed = _typed(fleet, "status")
    keyids = {row["role"]: row["keyids"][0] for row in document["roles"]}
    assert [(row["file"], (row["keyid"] or "")[:8], row["is_named"]) for row in document["files"]] == [
        ("root.pem", keyids["root"][:8], True),
        ("targets.pem", keyids["targets"][:8], True),
        (spare.name, spare.stem.removeprefix("targets-"), False),
        ("targets-junk.pem", "", False),
    ]
    assert [(row["file"], row["keyid"]) for row in online["files"]] == [
        (f"{role}.pem", keyids[role]) for role in ONLINE_ROLES
    ]
    line = next(line for line in shown.stdout.splitlines() if line.startswith("targets.pem"))
    assert line.split() == ["targets.pem", "targets", keyids["targets"][:8], "yes"]
    assert "targets-junk.pem: no usable key" in shown.stderr
    assert "targets.pem has a passphrase; give it with --passphrase-file" in closed.stderr and closed.exit_code == 0


def test_a_passphrase_file_that_is_missing_is_named_with_its_option_and_how_it_is_made(tmp_path: Path) -> None:
    initialise_trust(tmp_path / "keys", tmp_path / "data", NOW, passphrase=b"correct horse")
    named = ["--passphrase-file", str(tmp_path / "secret")]
    with fleet_in(tmp_path) as fleet:
        fleet.publish(passphrase=b"correct horse")
        to_sign = _typed(fleet, "renew", "digits", *named)
    to_make = CliRunner().invoke(app, ["trust", "new-key", "targets", "--keys", str(tmp_path / "joiner"), *named])
    for refused in (to_sign, to_make):
        assert refused.exit_code == 1 and f"{' '.join(named)} cannot be read" in refused.stderr
        assert "Make it with an editor" in refused.stderr and "no usable key" not in refused.stderr
    assert not (tmp_path / "joiner").exists()


@pytest.mark.parametrize("role", [*Role])
def test_a_new_offline_key_has_the_passphrase_of_those_beside_it_and_an_online_one_has_none(
    tmp_path: Path, role: Role
) -> None:
    initialise_trust(tmp_path / "keys", tmp_path / "data", NOW, passphrase=b"correct horse")
    secret = tmp_path / "passphrase"
    secret.write_text("correct horse\n")
    with fleet_in(tmp_path) as fleet:
        fleet.publish(passphrase=b"correct horse")
        for words in (["add-key", role], ["rotate", role]):
            where = ["--keys", str(fleet.harness.keys), "--data", str(fleet.harness.data)]
            where += ["--server", fleet.harness.addresses["operator"], "--passphrase-file", str(secret)]
            result = CliRunner().invoke(app, ["trust", *words, *where], env=fleet.harness.as_operator)
            assert result.exit_code == 0, result.output
        assert fleet.device_gets_the_newest()
    for path in (tmp_path / "keys").glob("*.pem"):
        assert b"ENCRYPTED" in path.read_bytes(), path.name
    for path in (tmp_path / "data" / "keys").glob("*.pem"):
        assert b"ENCRYPTED" not in path.read_bytes(), path.name


def test_a_key_may_be_held_by_a_signer(fleet: Fleet, tmp_path: Path) -> None:
    create_key(tmp_path / "vault", Role.TARGETS)
    path = tmp_path / "vault" / "targets.pem"
    private = load_pem_private_key(path.read_bytes(), None)
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(TrustError, match="cannot be used"):
        noted_signer(fleet.harness.keys, Role.TARGETS, f"file2:{tmp_path}/nothing", public)
    noted = noted_signer(fleet.harness.keys, Role.TARGETS, f"file2:{path}", public)
    fleet.ceremony().change_root(KeyChange(Role.TARGETS, [noted.signer], files=[noted]))
    (fleet.harness.keys / "targets.pem").unlink()
    fleet.publish()
    assert fleet.device_gets_the_newest()
    targets = fleet.harness.client("operator").get("/v1/tuf/digits/targets").content
    assert [*parse_targets(targets).signatures] == [noted.signer.public_key.keyid]


def test_a_threshold_that_the_keys_cannot_meet_is_refused(fleet: Fleet) -> None:
    with pytest.raises(TrustError, match="targets would have 1 keys, and a threshold of 2 cannot be: add a key first"):
        fleet.ceremony().change_root(KeyChange(Role.TARGETS, threshold=2))
    with pytest.raises(TrustError, match="no key 00"):
        fleet.ceremony().change_root(KeyChange(Role.ROOT, removed=["00"]))


def test_every_ceremony_can_be_typed(fleet: Fleet, tmp_path: Path) -> None:
    server, keys = fleet.harness.addresses["operator"], str(fleet.harness.keys)
    fleet.publish()

    def typed(*words: str) -> Any:
        result = CliRunner().invoke(app, ["trust", *words, "--json"], env=fleet.harness.as_operator)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    online = ("--server", server)
    secret = tmp_path / "passphrase"
    secret.write_text("correct horse\n")
    made = typed("add-key", "targets", "--keys", keys, "--passphrase-file", str(secret), *online)
    typed(
        "rotate",
        "timestamp",
        "--keys",
        keys,
        "--data",
        str(fleet.harness.data),
        "--passphrase-file",
        str(secret),
        *online,
    )
    typed("remove-key", "targets", made["key"][:8], "--keys", keys, "--passphrase-file", str(secret), *online)
    assert typed("renew", "--root", "--keys", keys, "--passphrase-file", str(secret), *online) == {
        "renewed": ["digits"]
    }
    typed("sign", f"{keys}/5.root.json", "--keys", keys, "--passphrase-file", str(secret))
    typed("push", f"{keys}/5.root.json", "--keys", keys, *online)
    status = typed("status", *online)
    assert (status["root_version"], len(status["families"])) == (5, 1)
    assert {row["role"]: len(row["keyids"]) for row in status["roles"]} == dict.fromkeys(Role, 1)
    shown = CliRunner().invoke(app, ["trust", "status", *online], env=fleet.harness.as_operator).stdout
    assert "Root: version 5" in shown and "digits" in shown
    assert fleet.device_gets_the_newest()


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["rotate", "snapshot"], "name its data folder with --data"),
        (["remove-key", "root", "ffffffffffff"], "0 keys of root begin with"),
        (["add-key", "targets", "--uri", "file2:/nowhere"], "--public-key FILE"),
        (["renew", "nobody"], "nothing is signed for family nobody"),
    ],
)
def test_a_ceremony_that_cannot_be_is_explained_and_changes_nothing(fleet: Fleet, words: list[str], fault: str) -> None:
    server, keys = fleet.harness.addresses["operator"], str(fleet.harness.keys)
    result = CliRunner().invoke(
        app, ["trust", *words, "--keys", keys, "--server", server], env=fleet.harness.as_operator
    )
    assert result.exit_code == 1
    assert fault in " ".join(result.stderr.split())
    assert fleet.harness.client("device").get("/tuf/2.root.json").status_code == 404
