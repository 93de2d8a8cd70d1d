"""What is fixed and what may be chosen."""

ALPHA = 0.1
"""Share of rows whose set may miss the truth."""
RATE = 0.05
STEPS = 60
PENALTY = 0.0
FEATURES = 20
SPREAD = 0.05
