"""What Prometheus is given: what it scrapes, rules and alerts, and the page that explains every metric."""
