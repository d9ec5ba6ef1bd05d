"""An endpoint's series are there before anything is told, and what waits no more has none."""

from cloud_server.metrics import Metrics

OLDEST = 'dctwire_webhook_oldest_pending_timestamp_seconds{endpoint="pager"}'


def lines(metrics: Metrics) -> list[str]:
    return [line for line in metrics.exposition().decode().splitlines() if "webhook" in line and line[0] != "#"]


def test_an_endpoint_is_counted_from_zero() -> None:
    metrics = Metrics()
    metrics.set_endpoints(["pager"])
    assert 'dctwire_webhook_deliveries_total{endpoint="pager",outcome="failed"} 0.0' in lines(metrics)
    assert 'dctwire_webhook_dropped_total{endpoint="pager"} 0.0' in lines(metrics)


def test_since_when_something_waits_is_told_only_while_something_does() -> None:
    metrics = Metrics()
    metrics.set_waiting([("pager", 2, 1_500)])
    assert f"{OLDEST} 1.5" in lines(metrics)
    metrics.set_waiting([("pager", 0, None)])
    assert not [line for line in lines(metrics) if line.startswith(OLDEST)]
    assert 'dctwire_webhook_pending{endpoint="pager"} 0.0' in lines(metrics)
