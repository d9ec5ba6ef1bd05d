"""The running sensor: three threads side by side that end together."""

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from sensor_client.capture import Capture
from sensor_client.ota import Updater
from sensor_client.signals import Signals
from sensor_client.uploader import Uploader

WATCH_SECONDS = 0.25


class Sensor:
    """Capture, upload and update until the work is done, a stop is asked for, or one of them fails."""

    def __init__(self, *, capture: Capture, uploader: Uploader, updater: Updater, signals: Signals) -> None:
        self._capture = capture
        self._uploader = uploader
        self._updater = updater
        self._signals = signals

    def run(self, watch: Callable[[], None]) -> None:
        """Work until all is done; return within a request's deadline once a stop is asked for.

        Args:
            watch: called about every WATCH_SECONDS, to show the progress.

        Raises:
            DctwireError: the error that ended a thread; the others have ended in order.
        """
        with ThreadPoolExecutor(max_workers=3, thread_name_prefix="sensor") as pool:
            uploading = pool.submit(self._uploader.run)
            threads = {uploading, pool.submit(self._capture.run), pool.submit(self._updater.run)}
            working = set(threads)
            while working:
                ended, working = wait(working, WATCH_SECONDS, return_when=FIRST_COMPLETED)
                if uploading in ended or any(_has_failed(thread) for thread in ended):
                    self._signals.request_stop()
                watch()
        for thread in threads:
            thread.result()


def _has_failed(thread: Future[None]) -> bool:
    return thread.exception() is not None
