"""How far the process is: loading, serving, draining."""

from dataclasses import dataclass

from cloud_server.errors import NotReadyError


@dataclass(slots=True)
class Health:
    """Whether the process is started (its models are loaded) and whether it is draining; ready is in between."""

    is_started: bool = False
    is_draining: bool = False

    def require_started(self) -> None:
        """Check that the models have been loaded.

        Raises:
            NotReadyError: not yet.
        """
        if not self.is_started:
            raise NotReadyError("models are being loaded")

    def require_ready(self) -> None:
        """Check that frames are welcome.

        Raises:
            NotReadyError: not yet, or no longer.
        """
        if self.is_draining:
            raise NotReadyError("draining")
        self.require_started()
