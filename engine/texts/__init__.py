"""What the templates of messages can say, and what they make of the data."""
