"""The trainer as a service: it sees why to train anew, retrains, compares, judges by gates, publishes, and reports.

It speaks to the server by the program `dctwire` alone, and keeps each training in a folder from which it goes on.
"""
