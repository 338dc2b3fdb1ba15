"""Which profile an input is for, and how one profile absorbs another."""
