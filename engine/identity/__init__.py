"""Who an input is about: which profile it is for, what it says of a person, and which places point to whom."""
