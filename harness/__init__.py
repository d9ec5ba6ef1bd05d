"""The whole system driven from outside: its programs as processes, the commands people give, what its metrics say."""
