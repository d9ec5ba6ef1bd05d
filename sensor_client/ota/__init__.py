"""Over the air: which bundle to run, whether to believe it, and changing to it without stopping."""

from sensor_client.ota.rules import OfferError, check_offer, floor_after, may_replace
from sensor_client.ota.settled import RefusedOffer, Settled, SettledFile
from sensor_client.ota.slots import Slots
from sensor_client.ota.updater import Updater

__all__ = [
    "OfferError",
    "RefusedOffer",
    "Settled",
    "SettledFile",
    "Slots",
    "Updater",
    "check_offer",
    "floor_after",
    "may_replace",
]
