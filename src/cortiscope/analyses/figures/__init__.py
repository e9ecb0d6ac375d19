"""What each instrument draws: one file an instrument, and the look that they share."""
