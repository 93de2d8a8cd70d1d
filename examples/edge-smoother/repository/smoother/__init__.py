"""Kernel smoothing of noisy curves."""
