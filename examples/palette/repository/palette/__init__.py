"""Palettes learned by mini-batch k-means."""
