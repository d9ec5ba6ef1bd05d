"""Golden bytes: formats that must not change unnoticed."""
