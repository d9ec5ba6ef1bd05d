"""Webhooks: other programs are told of what operators changed and of what the server noticed, signed and in order."""
