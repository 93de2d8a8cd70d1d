"""The training loop."""

import numpy as np

from mlp.network import Network
from mlp.optimizer import SGD


def train(images, labels, *, hidden, init_std, learning_rate, momentum, weight_decay, batch_size, epochs, seed):
    """Train a network from scratch; the seed draws its first weights and the order of the images."""
    rng = np.random.default_rng(seed)
    network = Network(images.shape[1], hidden, 10, init_std, rng)
    optimizer = SGD(network.parameters, learning_rate, weight_decay=weight_decay)
    for _ in range(epochs):
        order = rng.permutation(len(images))
        for start in range(0, len(images), batch_size):
            batch = order[start : start + batch_size]
            optimizer.step(network.gradients(images[batch], labels[batch]))
    return network
