"""Fixtures of the field's tests: the device plane that the sensor's own tests use."""

from tests.sensor_client.conftest import plane, publisher

__all__ = ["plane", "publisher"]
