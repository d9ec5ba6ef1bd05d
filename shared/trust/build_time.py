"""When this program was made: no clock of a device that runs it can be right and earlier."""

from datetime import UTC, datetime

BUILT_AT = datetime(2026, 11, 22, tzinfo=UTC)
"""Set with each release; `tests/shared/trust/test_build_time.py` says when it is due."""
