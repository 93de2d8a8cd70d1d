"""Random kitchen sinks: random Fourier features and a linear machine."""
