"""The decoder: Bayes' rule over the reference wines."""

import numpy as np


class BayesDecoder:
    """Posterior of the cultivars given one noisy measurement.

    With `noise_level` equal to the instruments' error, `prior_exponent` and `temperature` at 1 and all references in use, this is the
    exact posterior; everything else is an approximation.
    """

    def __init__(self, noise_level=1.0, prior_exponent=1.0, temperature=1.0, neighbors=None):
        self.noise_level = noise_level
        self.prior_exponent = prior_exponent
        self.temperature = temperature
        self.neighbors = neighbors

    def fit(self, references, cultivars):
        self.references = references
        self.members = [np.flatnonzero(cultivars == cultivar) for cultivar in np.unique(cultivars)]
        self.prior = np.array([len(member) for member in self.members]) / len(cultivars)
        return self

    def posterior(self, queries):
        """One row of probabilities for each row of `queries`, each judged by itself."""
        squared = ((queries[:, None, :] - self.references[None, :, :]) ** 2).sum(axis=2)
        if self.neighbors is not None and self.neighbors < squared.shape[1]:
            limit = np.partition(squared, self.neighbors - 1, axis=1)[:, self.neighbors - 1 : self.neighbors]
            squared = np.where(squared <= limit, squared, np.inf)
        exponent = -(squared - squared.min(axis=1, keepdims=True)) / (2.0 * self.noise_level**2)
        likelihood = np.stack([np.exp(exponent[:, member]).mean(axis=1) for member in self.members], axis=1)
        score = (likelihood * self.prior**self.prior_exponent) ** (1.0 / self.temperature)
        return score / score.sum(axis=1, keepdims=True)
