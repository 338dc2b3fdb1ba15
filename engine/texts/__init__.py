"""The language of our templates, and how it reads data."""
