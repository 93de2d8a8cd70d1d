"""Fit a pipeline on the training rows and report the test rows."""

import argparse

import numpy as np
from dataset import get_data
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import accuracy_score, recall_score
from sklearn.pipeline import make_pipeline
from transforms import Lift


def build(args):
    learner = SGDClassifier(
        loss="log_loss", alpha=args.alpha, max_iter=args.epochs, tol=None, class_weight="balanced", random_state=args.seed
    )
    return make_pipeline(Lift(args.directions, args.seed), learner)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--alpha", type=float, default=0.03)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--directions", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    x_train, x_valid, x_test, y_train, y_valid, y_test = get_data("data/records.csv")
    model = build(args)
    model.fit(x_train, y_train)
    y_pred = model.predict(x_test)
    np.savetxt("predictions.csv", np.column_stack([np.arange(len(y_pred)), y_pred]), fmt="%d", delimiter=",", header="id,label")
    print(f"accuracy: {accuracy_score(y_test, y_pred):.6f}")
    print(f"minority_recall: {recall_score(y_test, y_pred):.6f}")


if __name__ == "__main__":
    main()
