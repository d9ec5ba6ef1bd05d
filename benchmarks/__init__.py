"""One file per claim. `make bench NAME=<name>` runs `benchmarks/<name>.py`, which writes `results/<name>.json`."""
