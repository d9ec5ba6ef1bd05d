"""Makes the golden settings; `python -m tests.vectors.settings_vectors` writes them anew."""

from functools import cache
from pathlib import Path

from shared.bundle import DeviceSettings

FOLDER = Path(__file__).parent / "settings"


@cache
def documents() -> dict[str, DeviceSettings]:
    """File name to settings: all that can be said, of a tag, and one thing, of a family."""
    return {
        "everything.json": DeviceSettings(
            family="doorbell",
            counter=7,
            tag="site=north",
            frames_per_second=0.2,
            batch_frames=16,
            linger_seconds=30.0,
            budget_hour_bytes=65536,
            budget_day_bytes=1 << 20,
            budget_month_bytes=20 << 20,
            picture_share=0.5,
            detail_share=0.01,
            detail_hour_bytes=8192,
            detail_quality=90,
            active_hours="06:00-20:00",
            region=(0.25, 0.0, 0.5, 1.0),
        ),
        "rate.json": DeviceSettings(family="doorbell", counter=8, frames_per_second=1.0),
    }


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, settings in documents().items():
        (FOLDER / name).write_bytes(settings.to_bytes())
