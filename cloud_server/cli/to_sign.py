"""A root or a list that waits for signatures in a file: what it says, for whoever is to sign it, and how it goes on."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from shared.bundle import BundleError, DeviceSettings, settings_counter
from shared.trust import RootFacts, Signer, TrustError, continued, parse_targets


def to_sign(data: bytes, folder: Path) -> str:
    """What a root or a list says, in lines; signatures are not checked.

    Args:
        folder: where settings lie that are listed; only those whose hash the list names are believed.

    Raises:
        TrustError: these bytes are neither.
    """
    try:
        return _list_text(data, folder)
    except TrustError:
        return _root_text(data)


def goes_on(path: Path, made: bytes, signers: Sequence[Signer], after: int) -> bytes:
    """What was made just now; where a file waits that says the same, that one, with these signatures too.

    Args:
        after: the version of what is published.

    Raises:
        TrustError: the file says something else, and others have signed it.
    """
    if not path.exists():
        return made
    try:
        return continued(path.read_bytes(), made, signers, after) or made
    except TrustError as error:
        raise TrustError(f"{path} waits for signatures: {error}. Finish that first, or move the file away") from error


def settings_beside(folder: Path, path: str) -> Path:
    """Where the settings of a target path lie for those who are to sign them."""
    return folder / path.replace("/", ".")


def _list_text(data: bytes, folder: Path) -> str:
    targets = parse_targets(data).signed
    said = targets.unrecognized_fields
    lines = [f"The list of family {said.get('family')}, version {targets.version}, until {targets.expires:%Y-%m-%d}"]
    for path, entry in sorted(targets.targets.items()):
        lines.append(f"  {path}  SHA-256 {entry.hashes['sha256']}")
        if settings_counter(path) is not None:
            lines.append(f"    {_settings_text(settings_beside(folder, path), entry.hashes['sha256'])}")
    return "\n".join([*lines, f"  no device runs a counter below {said.get('min_counter')}"])


def _settings_text(file: Path, digest: str) -> str:
    try:
        data = file.read_bytes()
        settings = DeviceSettings.from_bytes(data)
    except (OSError, BundleError):
        return f"to see what it sets, put {file.name} beside this list"
    if hashlib.sha256(data).hexdigest() != digest:
        return f"{file} is not what is to be signed: do not sign before you have seen what is"
    whom = "the family" if settings.tag is None else f"devices with tag {settings.tag}"
    said = ", ".join(f"{name.replace('_', '-')} {_value(value)}" for name, value in settings.said.items())
    return f"sets for {whom}: {said}"


def _value(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _root_text(data: bytes) -> str:
    root = RootFacts.of(data)
    lines = [f"Root version {root.version}, until {root.expires:%Y-%m-%d}"]
    for role, keys in root.roles.items():
        lines.append(f"  {role}: {keys.threshold} must sign of {' '.join(keyid[:8] for keyid in keys.keyids)}")
    return "\n".join(lines)
