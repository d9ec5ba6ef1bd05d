"""The ops plane: probes and metrics."""
