"""One attack, one test, told as a story: a real server process, raw sockets, and a well-behaved client beside it."""
