"""Learning from frames that cameras uploaded: what they can teach, whom to believe, and whether a new net is better."""
