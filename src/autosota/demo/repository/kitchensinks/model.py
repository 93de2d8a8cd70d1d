"""Random Fourier features (Rahimi and Recht, 2007) followed by a linear machine trained by stochastic gradient descent."""

from sklearn.kernel_approximation import RBFSampler
from sklearn.linear_model import SGDClassifier
from sklearn.pipeline import Pipeline


def build_model(config, alpha, epochs, seed):
    """The pipeline that `config` describes, not yet fitted."""
    steps = []
    features = config["features"]
    if features["kind"] == "fourier":
        sampler = RBFSampler(gamma=features["gamma"], n_components=features["n_components"], random_state=seed)
        steps.append(("features", sampler))
    classifier = SGDClassifier(
        loss=config["classifier"]["loss"],
        alpha=alpha,
        max_iter=epochs,
        tol=None,
        learning_rate="optimal",
        average=False,
        random_state=seed,
    )
    steps.append(("classifier", classifier))
    return Pipeline(steps)
