"""Learns tables and classifiers together, measures them, and exports bundles."""
