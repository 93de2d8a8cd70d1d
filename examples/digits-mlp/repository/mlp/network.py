"""One hidden layer of tanh units and a softmax, with gradients by hand (Rumelhart, Hinton and Williams, 1986)."""

import numpy as np


def softmax(scores):
    shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


class Network:
    """Weights live in `parameters`, a list of arrays that the optimizer changes in place."""

    def __init__(self, inputs, hidden, outputs, init_std, rng):
        self.parameters = [
            rng.normal(0.0, init_std, (inputs, hidden)),
            np.zeros(hidden),
            rng.normal(0.0, init_std, (hidden, outputs)),
            np.zeros(outputs),
        ]

    def hidden(self, images):
        w1, b1, _, _ = self.parameters
        return np.tanh(images @ w1 + b1)

    def probabilities(self, images):
        _, _, w2, b2 = self.parameters
        return softmax(self.hidden(images) @ w2 + b2)

    def gradients(self, images, labels):
        """Gradients of the mean cross-entropy, in the order of `parameters`."""
        _, _, w2, b2 = self.parameters
        hidden = self.hidden(images)
        delta = softmax(hidden @ w2 + b2)
        delta[np.arange(len(labels)), labels] -= 1.0
        delta /= len(labels)
        back = (delta @ w2.T) * (1.0 - hidden**2)
        return [images.T @ back, back.sum(axis=0), hidden.T @ delta, delta.sum(axis=0)]
