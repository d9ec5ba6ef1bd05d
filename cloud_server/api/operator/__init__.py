"""The operator plane: what operators and their tools talk to."""
