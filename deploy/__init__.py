"""How the programs are put together on one machine, in containers, and under Prometheus."""
