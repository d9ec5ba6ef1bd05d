"""HTTP: three planes, each its own listener. Nothing here decides; it reads, asks and answers."""
