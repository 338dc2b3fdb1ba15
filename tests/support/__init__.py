"""Helpers with which the tests tell their scenarios."""
