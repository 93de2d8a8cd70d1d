"""A network with one hidden layer."""

import numpy as np


class Block:
    def __init__(self, inputs, width, rng, dropout=0.9):
        self.weights = rng.normal(size=(inputs, width)) / np.sqrt(inputs)
        self.dropout, self.rng = dropout, rng

    def forward(self, x, training=False):
        self.inputs, self.outputs = x, np.maximum(x @ self.weights, 0.0)
        if training:
            self.mask = (self.rng.random(self.outputs.shape) >= self.dropout) / (1.0 - self.dropout)
            self.outputs = self.outputs * self.mask
        return self.outputs

    def backward(self, gradient, rate):
        gradient = gradient * self.mask * (self.outputs > 0)
        self.weights -= rate * self.inputs.T @ gradient / len(gradient)


class Network:
    def __init__(self, width, dropout, kinds, seed):
        self.rng = np.random.default_rng(seed)
        self.block = Block(64, width, self.rng)
        self.head = self.rng.normal(size=(width, kinds)) / np.sqrt(width)

    def scores(self, pixels, training=False):
        z = self.block.forward(pixels.reshape(len(pixels), -1), training) @ self.head
        e = np.exp(z - z.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    def predict(self, pixels):
        return self.scores(pixels).argmax(axis=1)

    def step(self, pixels, kinds, rate):
        chances = self.scores(pixels, training=True)
        chances[np.arange(len(kinds)), kinds] -= 1.0
        back = chances @ self.head.T
        self.head -= rate * self.block.outputs.T @ chances / len(kinds)
        self.block.backward(back, rate)
