"""Tests of the record of trainings."""
