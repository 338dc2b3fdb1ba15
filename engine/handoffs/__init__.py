"""Hand-offs: a person goes from one touchpoint to another, and what was known there is to be here."""
