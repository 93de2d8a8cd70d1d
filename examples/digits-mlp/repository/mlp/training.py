"""The training loop."""

import numpy as np

from mlp.network import Network
from mlp.optimizer import SGD


def train(images, labels, config, seed):
    """Train a network from scratch; the seed draws its first weights and the order of the images."""
    rng = np.random.default_rng(seed)
    network = Network(images.shape[1], config.hidden, 10, config.init_std, rng)
    optimizer = SGD(network.parameters, config.learning_rate)
    for _ in range(config.epochs):
        order = rng.permutation(len(images))
        for start in range(0, len(images), config.batch_size):
            batch = order[start : start + config.batch_size]
            optimizer.step(network.gradients(images[batch], labels[batch]))
    return network
