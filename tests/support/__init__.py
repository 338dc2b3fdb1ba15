"""What scenarios are told with."""
