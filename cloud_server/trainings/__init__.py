"""The record of trainings: who trains what, how far it is, what came of it, and whether it is time for another."""
