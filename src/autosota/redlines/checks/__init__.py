"""The static rules S1 to S20 (validity.md 3.2), grouped by what they look at. Each check is a pure function of a Difference."""
