"""Settings of the paper's experiments."""

from dataclasses import dataclass


@dataclass
class Config:
    hidden: int = 32
    """Units in the hidden layer."""
    init_std: float = 0.15
    """Standard deviation of the first weights."""
    learning_rate: float = 0.01
    momentum: float = 0.9
    weight_decay: float = 1e-4
    batch_size: int = 32
    epochs: int = 20
