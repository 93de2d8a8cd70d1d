"""A small neural network in NumPy."""
