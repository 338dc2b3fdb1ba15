"""The rules of Segue: pure functions over data. No disk, no network, no clock, no randomness that is not passed in."""
