"""The devices: how they join, how they are known again, and which bundle their family should run."""
