"""How well the server does, as far as it can know without being told: accuracy, drift, bytes that are saved."""
