"""Trust (TUF): who may say which bundles exist, and how a device checks it.

`keys` makes and loads signing keys, `metadata` names, parses and verifies, `signing` is what is done offline,
`repository` what a server adds, `client` verifies on a device. Nothing else in dctwire imports tuf or securesystemslib,
which take 11 MiB: they are loaded when the first name that needs them is asked for, not by who handles errors and
results.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from shared.trust.errors import KeyFileError, OtherSignerError, OutdatedError, TargetTakenError, TrustError
from shared.trust.verified import Fetch, NotPublishedError, TrustStanding, VerifiedTarget

if TYPE_CHECKING:
    from shared.trust.client import TrustClient
    from shared.trust.keys import (
        OFFLINE_ROLES,
        ONLINE_ROLES,
        Key,
        KeyFile,
        Passphrase,
        Role,
        Signer,
        create_key,
        key_files,
        load_key,
        load_keys,
        new_key,
        noted_signer,
        passphrase_beside,
        public_key,
    )
    from shared.trust.metadata import (
        floor_of,
        old_targets_of,
        parse_targets,
        root_file,
        timestamp_file,
        verified_targets,
    )
    from shared.trust.repository import Change, Repository
    from shared.trust.roots import (
        RoleChange,
        RootFacts,
        add_signatures,
        continued,
        create_root,
        newest_root,
        next_root,
        require_current_root,
        require_follows,
        require_root,
        root_file_of,
    )
    from shared.trust.shown import Read, Shown
    from shared.trust.signing import Target, is_listed, next_targets, targets_are_due

__all__ = [
    "OFFLINE_ROLES",
    "ONLINE_ROLES",
    "Change",
    "Fetch",
    "Key",
    "KeyFile",
    "KeyFileError",
    "NotPublishedError",
    "OtherSignerError",
    "OutdatedError",
    "Passphrase",
    "Read",
    "Repository",
    "Role",
    "RoleChange",
    "RootFacts",
    "Shown",
    "Signer",
    "Target",
    "TargetTakenError",
    "TrustClient",
    "TrustError",
    "TrustStanding",
    "VerifiedTarget",
    "add_signatures",
    "continued",
    "create_key",
    "create_root",
    "floor_of",
    "is_listed",
    "key_files",
    "load_key",
    "load_keys",
    "new_key",
    "newest_root",
    "next_root",
    "next_targets",
    "noted_signer",
    "old_targets_of",
    "parse_targets",
    "passphrase_beside",
    "public_key",
    "require_current_root",
    "require_follows",
    "require_root",
    "root_file",
    "root_file_of",
    "targets_are_due",
    "timestamp_file",
    "verified_targets",
]

_WITH_TUF = ("client", "keys", "metadata", "repository", "roots", "shown", "signing")


def __getattr__(name: str) -> Any:
    if name in __all__:
        for module in map(import_module, (f"{__name__}.{home}" for home in _WITH_TUF)):
            if hasattr(module, name):
                return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
