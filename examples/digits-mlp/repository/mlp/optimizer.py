"""Stochastic gradient descent with momentum and weight decay."""

import numpy as np


class SGD:
    """Changes the arrays in `parameters` in place."""

    def __init__(self, parameters, learning_rate, momentum=0.0, weight_decay=0.0):
        self.parameters = parameters
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.velocity = [np.zeros_like(parameter) for parameter in parameters]

    def step(self, gradients):
        for parameter, gradient, velocity in zip(self.parameters, gradients, self.velocity, strict=True):
            velocity *= self.momentum
            velocity -= self.learning_rate * (gradient + self.weight_decay * parameter)
            parameter += velocity
