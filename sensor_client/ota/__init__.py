"""Updates over the air: which bundle to run, whether to believe it, and changing to it without stopping."""

from sensor_client.ota.changes import FAILED_TRIAL
from sensor_client.ota.evidence import BundleWitness, Evidence
from sensor_client.ota.installation import Installation
from sensor_client.ota.outbox import Outbox
from sensor_client.ota.rules import OfferError, check_offer, floor_after, may_replace
from sensor_client.ota.slots import Slots
from sensor_client.ota.states import Policy
from sensor_client.ota.update_state import RefusedOffer, Trial, UpdateState, UpdateStateFile
from sensor_client.ota.updater import TRUST_LOOK_SECONDS, Updater, UpdateSettings

__all__ = [
    "FAILED_TRIAL",
    "TRUST_LOOK_SECONDS",
    "BundleWitness",
    "Evidence",
    "Installation",
    "OfferError",
    "Outbox",
    "Policy",
    "RefusedOffer",
    "Slots",
    "Trial",
    "UpdateSettings",
    "UpdateState",
    "UpdateStateFile",
    "Updater",
    "check_offer",
    "floor_after",
    "may_replace",
]
