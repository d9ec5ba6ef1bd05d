"""Trust (TUF): who may say which bundles exist, and how a device checks it.

`keys` makes and loads signing keys, `repository` signs and says what to publish (operator and server), `client`
verifies (device and operator). Nothing else in dctwire imports tuf or securesystemslib.
"""

from shared.trust.client import NotPublishedError, TrustClient, VerifiedTarget
from shared.trust.errors import OtherSignerError, TargetTakenError, TrustError
from shared.trust.keys import OFFLINE_ROLES, ONLINE_ROLES, Role, Signer, create_key, load_key
from shared.trust.repository import (
    TIMESTAMP_FILE,
    Files,
    Read,
    Repository,
    add_target,
    create_root,
    create_targets,
    is_listed,
    parse_targets,
    targets_are_due,
)

__all__ = [
    "OFFLINE_ROLES",
    "ONLINE_ROLES",
    "TIMESTAMP_FILE",
    "Files",
    "NotPublishedError",
    "OtherSignerError",
    "Read",
    "Repository",
    "Role",
    "Signer",
    "TargetTakenError",
    "TrustClient",
    "TrustError",
    "VerifiedTarget",
    "add_target",
    "create_key",
    "create_root",
    "create_targets",
    "is_listed",
    "load_key",
    "parse_targets",
    "targets_are_due",
]
