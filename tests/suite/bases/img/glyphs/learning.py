"""Training."""

from glyphs.images import Loader


def learn(network, options):
    train_loader = Loader("train", rng=network.rng)
    for _ in range(options["epochs"]):
        for pixels, kinds in train_loader:
            network.step(pixels, kinds, options["rate"])
    return network
