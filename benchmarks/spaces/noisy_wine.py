"""Noisy wine: all four settings of the decoder. None can be improved; `good` is what looks most plausible."""

from benchmarks.spaces import Dimension, Example

EXAMPLE = Example(
    name="noisy-wine",
    commands=("python -m noisywine.evaluate --seed {seed} {options}",),
    pattern=r"Accuracy: ([\d.]+)",
    direction="max",
    space={
        "noise_level": Dimension("settings.ini:decoder.noise_level", 0.3, 6.0, log=True),
        "prior_exponent": Dimension("settings.ini:decoder.prior_exponent", 0.0, 2.0),
        "temperature": Dimension("settings.ini:decoder.temperature", 0.2, 5.0, log=True),
        "neighbors": Dimension("settings.ini:decoder.neighbors", 1, 178, log=True, whole=True),
    },
    good={"noise_level": 1.4},
    second=r"Log loss: ([\d.]+)",
)
