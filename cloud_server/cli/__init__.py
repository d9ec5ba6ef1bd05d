"""`dctwire`, the operator's command line; it talks HTTP to the operator plane."""
