"""Updates over the air: which bundle to run, whether to believe it, and changing to it without stopping."""

from sensor_client.ota.rules import OfferError, check_offer, floor_after, may_replace
from sensor_client.ota.slots import Slots
from sensor_client.ota.update_state import RefusedOffer, UpdateState, UpdateStateFile
from sensor_client.ota.updater import Updater, UpdateSettings

__all__ = [
    "OfferError",
    "RefusedOffer",
    "Slots",
    "UpdateSettings",
    "UpdateState",
    "UpdateStateFile",
    "Updater",
    "check_offer",
    "floor_after",
    "may_replace",
]
