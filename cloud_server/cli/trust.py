"""`dctwire trust`: who may sign what; keys and roots that come and go; lists that are signed anew."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from cloud_server.cli import ceremonies
from cloud_server.cli.ceremonies import Ceremony, KeyChange
from cloud_server.cli.options import (
    DEFAULT_SERVER,
    AsJson,
    AskPassphrase,
    Keys,
    PassphraseFile,
    RaiseFloor,
    Server,
    connected,
    new_passphrase,
    passphrase_of,
)
from cloud_server.cli.output import explained_errors, say, show_json, show_table, tell, warn
from cloud_server.cli.publishing import initialise_trust
from cloud_server.cli.restoring import Restoring
from cloud_server.cli.to_sign import to_sign
from cloud_server.registry.floor import Falling
from shared.trust import (
    OFFLINE_ROLES,
    KeyFileError,
    Passphrase,
    Role,
    RootFacts,
    TrustError,
    key_files,
    new_key,
    noted_signer,
    passphrase_beside,
    public_key,
)

ServerData = Annotated[
    Path | None, typer.Option("--data", help="The server's data folder, where an online key is changed.", metavar="DIR")
]
Threshold = Annotated[int | None, typer.Option(min=1, help="How many of the role's keys must sign from now on.")]
RoleName = Annotated[Role, typer.Argument(help="Whose keys.", metavar="ROLE")]
_HINTS = {
    "too-few-signatures": "Have others add theirs: dctwire trust sign FILE --keys THEIRS. Then publish it: "
    "dctwire trust push FILE --keys KEYS; lists first, then the root. This command, repeated, "
    "goes on with these files",
    "conflict": "This was published already, or something else meanwhile: see dctwire trust status. If it is still "
    "needed, have it made and signed anew",
    "other-keys": "The people who hold keys of this role have to do this, with their own --keys. Who may sign: "
    "dctwire trust status",
    "below-floor": "Assign what is at or above the new floor first: dctwire assign, dctwire devices pin, unpin or "
    "quarantine. Where new devices may go without tables: --raise-floor",
    "untrusted": "Correct what the error names. Who may sign, and until when: dctwire trust status",
}

trust = typer.Typer(help="Keys and signed metadata (TUF).", no_args_is_help=True)


@trust.command("init")
def trust_init(
    keys: Annotated[Path, typer.Option(help="A new folder for the offline keys (root, targets).")],
    data: Annotated[Path, typer.Option(help="The server's data folder, for the online keys and the root.")],
    root_threshold: Annotated[int, typer.Option(min=1, max=16, help="How many root keys there are and must sign.")] = 1,
    targets_threshold: Annotated[int, typer.Option(min=1, max=16, help="The same of the targets keys.")] = 1,
    passphrase_file: Annotated[
        Path | None,
        typer.Option("--passphrase-file", help="Encrypt the offline keys with what FILE holds.", metavar="FILE"),
    ] = None,
    ask_passphrase: AskPassphrase = False,
    as_json: AsJson = False,
) -> None:
    """Make the keys that say which bundles are genuine. Once for each server, before it is started.

    KEYS/root.json is what devices are shipped with; the keys in KEYS sign, keep them safe. With a threshold above
    one, give each person a folder with root.json and a key of their own.

    Example: dctwire trust init --keys keys --data server-data
    """
    hints = {"untrusted": "Go on with the keys that are there, or name other folders", "disk": "Name other folders"}
    with explained_errors(as_json=as_json, hints=hints):
        thresholds = {Role.ROOT: root_threshold, Role.TARGETS: targets_threshold}
        passphrase = new_passphrase(passphrase_file, is_asked=ask_passphrase)
        try:
            initialise_trust(keys, data, datetime.now(UTC), thresholds=thresholds, passphrase=passphrase)
        except FileExistsError as error:
            raise TrustError(f"{error.filename} exists already; keys are never overwritten") from error
        if as_json:
            show_json({"root": str(keys / "root.json"), "keys": str(keys), "data": str(data)})
        else:
            say(f"Made {keys}/ (keep it offline) and {data}/ (the server's). Ship {keys}/root.json to devices.")
            say(f"Next: dctwire-server run --data {data}")
            say(f"Then, for dctwire on this machine: export DCTWIRE_OPERATOR_TOKEN_FILE={data}/admin-token")


@trust.command("new-key")
def make_key(
    role: RoleName,
    keys: Annotated[Path, typer.Option("--keys", help="Your own folder, new or not.", metavar="DIR")],
    passphrase_file: PassphraseFile = None,
    ask_passphrase: AskPassphrase = False,
    as_json: AsJson = False,
) -> None:
    """Make a key of ROLE for yourself, and the file with its public half. No server is needed.

    Send the public half (.pub) to who holds root's keys, who adds it: dctwire trust add-key ROLE --public-key FILE.
    The key itself never leaves your folder.

    Example: dctwire trust new-key targets --keys mine --passphrase
    """
    with explained_errors(as_json=as_json, hints=_HINTS):
        if role not in OFFLINE_ROLES:
            raise TrustError(f"the {role} key lies with the server: dctwire trust add-key {role} --data DATA")
        secret = new_passphrase(passphrase_file, is_asked=ask_passphrase)
        made = new_key(keys, role, passphrase=secret or passphrase_beside(keys, passphrase_of(None)))
        made.write()
        public = made.write_public()
        keyid = made.signer.public_key.keyid
        if as_json:
            show_json({"key": keyid, "private": str(made.path), "public": str(public)})
        else:
            say(f"Made {made.path} (keep it) and {public} (send it to who holds root's keys). Key: {keyid}")


@trust.command("add-key")
def add_key(
    role: RoleName,
    keys: Keys,
    uri: Annotated[str | None, typer.Option(help="The key is held by this securesystemslib signer.")] = None,
    public_half: Annotated[
        Path | None,
        typer.Option(
            "--public-key", help="The public key (PEM) of a key held elsewhere, or of the signer.", metavar="FILE"
        ),
    ] = None,
    threshold: Threshold = None,
    data: ServerData = None,
    passphrase_file: PassphraseFile = None,
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """Let one more key sign for ROLE: one that somebody made with new-key, one made here, or one that a signer holds.

    Example: dctwire trust add-key targets --public-key targets-3f2a91c0.pub --keys keys
    """
    with _ceremony(server, keys, passphrase_file, as_json=as_json) as ceremony:
        change = _joining(ceremony, KeyChange(role, threshold=threshold), _folder(role, keys, data), uri, public_half)
        root = ceremony.change_root(change)
        _tell_root(root, as_json=as_json, key=change.keys[0].keyid)


@trust.command("remove-key")
def remove_key(
    role: RoleName,
    keyid: Annotated[str, typer.Argument(help="The key's id, or how it begins; see: dctwire trust status")],
    keys: Keys,
    threshold: Threshold = None,
    passphrase_file: PassphraseFile = None,
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """Let a key sign for ROLE no more: it was lost or stolen, or its owner has left.

    Example: dctwire trust remove-key targets 3f2a91c0 --keys keys
    """
    with _ceremony(server, keys, passphrase_file, as_json=as_json) as ceremony:
        named = _named(ceremony, role, keyid)
        _tell_root(ceremony.change_root(KeyChange(role, (), [named], threshold)), as_json=as_json)


@trust.command("rotate")
def rotate(
    roles: Annotated[list[Role], typer.Argument(help="Whose keys; several go into one root.", metavar="ROLE...")],
    keys: Keys,
    data: ServerData = None,
    passphrase_file: PassphraseFile = None,
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """Put new keys in the place of the ROLEs' keys that are here, with one root. Devices follow by themselves.

    Example: dctwire trust rotate timestamp snapshot --keys keys --data server-data
    """
    with _ceremony(server, keys, passphrase_file, as_json=as_json) as ceremony:
        _tell_root(ceremony.rotate(roles, data / "keys" if data else None), as_json=as_json)


@trust.command("renew")
def renew(
    keys: Keys,
    families: Annotated[list[str] | None, typer.Argument(help="Only these; else all.", metavar="FAMILY")] = None,
    root: Annotated[bool, typer.Option("--root", help="Also give the root ten years from now.")] = False,
    forgets_lost: Annotated[
        bool, typer.Option("--forget-lost", help="List no longer what the server has lost, and nobody can bring back.")
    ] = False,
    passphrase_file: PassphraseFile = None,
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """Sign the families' lists anew, for a year from now. Expired ones are verified by their signatures.

    Example: dctwire trust renew --keys keys
    """
    with _ceremony(server, keys, passphrase_file, as_json=as_json) as ceremony:
        if root:
            ceremony.change_root()
        chosen = families or ceremony.families()
        ceremony.renew(chosen, forgets_lost=forgets_lost)
        tell({"renewed": chosen}, f"Signed anew: {', '.join(chosen) or 'nothing'}.", as_json=as_json)


@trust.command("restore")
def restore_lost(
    keys: Keys,
    folders: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Exported folders, in any order, that do not lie any more where they were.", metavar="FOLDER"
        ),
    ] = None,
    passphrase_file: PassphraseFile = None,
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """Publish again what a server has lost, because a backup from before was restored.

    KEYS remembers what was signed, and the folders from which it was published. Safe to repeat.

    Example: dctwire trust restore --keys keys
    """
    with connected(server, as_json=as_json, hints=_HINTS) as client:
        restoring = Restoring(client, keys, datetime.now(UTC), passphrase_of(passphrase_file))
        restored = restoring.restore(folders or ())
        if restored.missing:
            raise TrustError(
                f"no folder holds {', '.join(restored.missing)} any more: name its folder, or export it again. If that "
                f"cannot be, list it no longer: dctwire trust renew --forget-lost --keys {keys}"
            )
        again = ", ".join(restored.published) or "nothing was missing"
        tell({"published": restored.published}, f"Published again: {again}.", as_json=as_json)


@trust.command("sign")
def sign(
    file: Annotated[Path, typer.Argument(help="A root or a list that waits for signatures.", metavar="FILE")],
    keys: Keys,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what FILE says.")] = False,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Show what FILE says, and add the signatures of the keys in KEYS to it. No server is needed.

    Compare each SHA-256 with that of the file that you examined, bundle.json or fallback.json; --dry-run only shows.
    What settings set is shown where their file, such as digits.settings-3.json, lies beside FILE.

    Example: dctwire trust sign keys/digits.to-sign.json --keys approver
    """
    with explained_errors(as_json=as_json, hints=_HINTS):
        data = file.read_bytes()
        shown = to_sign(data, file.parent)
        if not as_json:
            say(shown)
        if not dry_run:
            file.write_bytes(ceremonies.sign(data, keys, passphrase_of(passphrase_file)))
        if as_json:
            show_json({"signed": None if dry_run else str(file), "says": shown.splitlines()})
        elif not dry_run:
            say(f"Signed {file}.")


@trust.command("push")
def push(
    file: Annotated[Path, typer.Argument(help="A root or a list that enough keys have signed.", metavar="FILE")],
    keys: Keys,
    raises_floor: RaiseFloor = False,
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """Publish a root, or a list that adds nothing, that enough keys have signed.

    Example: dctwire trust push keys/2.root.json --keys keys
    """
    falling = Falling.EVERYTHING if raises_floor else Falling.NOTHING
    with _ceremony(server, keys, None, as_json=as_json) as ceremony:
        is_new = replace(ceremony, falling=falling).push(file.read_bytes())
        text = f"Published {file}." if is_new else f"{file} was published already; nothing has changed."
        tell({"pushed": str(file), "is_new": is_new}, text, as_json=as_json)


@trust.command("status")
def status(
    keys: Annotated[
        Path | None, typer.Option("--keys", help="Also say which file of this folder holds which key.", metavar="DIR")
    ] = None,
    passphrase_file: PassphraseFile = None,
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """Show each role's keys and threshold, and when what was signed expires.

    Example: dctwire trust status --keys keys
    """
    with connected(server, as_json=as_json) as client:
        document = client.get("/v1/tuf/status")
        if keys is not None:
            document["files"] = _files(keys, document["roles"], passphrase_of(passphrase_file))
        if as_json:
            show_json(document)
            return
        expires = f"{datetime.fromtimestamp(document['root_expires_at'], UTC):%Y-%m-%d}"
        say(f"Root: version {document['root_version']}, expires {expires}\n")
        roles = [row | {"keyids": " ".join(keyid[:8] for keyid in row["keyids"])} for row in document["roles"]]
        show_table("Roles", roles, {"role": "role", "threshold": "must sign", "keyids": "keys"}, "")
        if keys is not None:
            _show_files(keys, document["files"])
        columns = {"family": "family", "online_expires_at": "timestamp expires", "targets_expire_at": "targets expire"}
        show_table("Families", document["families"], columns, "Nothing is published yet.")


def _files(keys: Path, roles: list[dict[str, Any]], passphrase: Passphrase) -> list[dict[str, Any]]:
    """A row for each key file in a folder: its key, whether the newest root names that, or why it cannot be used."""
    rows = []
    for role in Role:
        named = {keyid for row in roles if row["role"] == role for keyid in row["keyids"]}
        for path, found in key_files(keys, role, passphrase):
            keyid = None if isinstance(found, KeyFileError) else found.public_key.keyid
            cause = str(found) if isinstance(found, KeyFileError) else None
            rows.append({"file": path.name, "role": role, "keyid": keyid, "is_named": keyid in named, "cause": cause})
    return rows


def _show_files(keys: Path, files: list[dict[str, Any]]) -> None:
    shown = [row | {"key": row["keyid"] and row["keyid"][:8]} for row in files]
    columns = {"file": "file", "role": "role", "key": "key", "is_named": "named by the root"}
    show_table(f"Key files in {keys}", shown, columns, f"No key files are in {keys}.\n")
    for row in files:
        if row["cause"] is not None:
            warn(row["cause"])


@contextmanager
def _ceremony(server: str, keys: Path, passphrase_file: Path | None, *, as_json: bool) -> Iterator[Ceremony]:
    with connected(server, as_json=as_json, hints=_HINTS) as client:
        try:
            encrypts = passphrase_file is not None
            yield Ceremony(client, keys, datetime.now(UTC), passphrase_of(passphrase_file), encrypts)
        except FileExistsError as error:
            raise TrustError(f"{error.filename} exists already; keys are never overwritten") from error


def _joining(
    ceremony: Ceremony, change: KeyChange, folder: Path, uri: str | None, public_half: Path | None
) -> KeyChange:
    """The same change, with one key more."""
    if uri is not None:
        if public_half is None:
            raise TrustError("name the signer's public key, too: --public-key FILE")
        noted = noted_signer(folder, change.role, uri, public_half.read_bytes())
        return replace(change, added=[noted.signer], files=[noted])
    if public_half is None:
        return ceremony.with_new_keys(change, folder, 1)
    if change.role not in OFFLINE_ROLES:
        raise TrustError(f"the server itself must hold a {change.role} key: leave out --public-key")
    return replace(change, held_elsewhere=[public_key(public_half.read_bytes())])


def _named(ceremony: Ceremony, role: Role, beginning: str) -> str:
    rows = ceremony.client.get("/v1/tuf/status")["roles"]
    named = [one for row in rows if row["role"] == role for one in row["keyids"] if one.startswith(beginning)]
    if len(named) != 1:
        raise TrustError(f"{len(named)} keys of {role} begin with {beginning}")
    return str(named[0])


def _folder(role: Role, keys: Path, data: Path | None) -> Path:
    if role in OFFLINE_ROLES:
        return keys
    if data is None:
        raise TrustError(f"the {role} key lies with the server: name its data folder with --data")
    return data / "keys"


def _tell_root(root: bytes, *, as_json: bool, **also: Any) -> None:
    facts = RootFacts.of(root)
    text = f"Root version {facts.version} is published. Ship it to new devices; working ones follow by themselves."
    tell({"root_version": facts.version, **also}, text, as_json=as_json)
