"""Grafana's dashboards as code: what they show, how it is drawn, and the files that Grafana reads."""
