"""What the hot paths cost against what a user would pick instead, both in one run, as ratios."""
