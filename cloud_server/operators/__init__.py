"""The people and programs that operate a server: who they are, what each may do, and what each has changed."""
