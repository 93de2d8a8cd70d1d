"""Training and testing."""

import torch
from torch import nn


def train(model, images, labels, epochs, batch_size, lr, momentum, weight_decay):
    """Minimize the cross-entropy by stochastic gradient descent."""
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=momentum)
    loss_function = nn.CrossEntropyLoss()
    model.train()
    for _ in range(epochs):
        order = torch.randperm(len(images))
        for start in range(0, len(images), batch_size):
            batch = order[start : start + batch_size]
            optimizer.zero_grad()
            loss = loss_function(model(images[batch]), labels[batch])
            loss.backward()
            optimizer.step()


@torch.no_grad()
def test(model, images, labels):
    """Share of images whose most probable class is their label."""
    model.eval()
    return (model(images).argmax(dim=1) == labels).float().mean().item()
