"""Levers that change how scikit-learn models are made: what they write, and near misses."""

import pytest

HEAD = """
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.ensemble import GradientBoostingRegressor, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.mixture import GaussianMixture
from sklearn.neural_network import MLPClassifier
from sklearn.tree import DecisionTreeClassifier

"""


@pytest.mark.parametrize(
    ("lever", "before", "after"),
    [
        ("early_stopping", "MLPClassifier(alpha=a)", "MLPClassifier(alpha=a, early_stopping=True)"),
        ("early_stopping", "SGDClassifier(tol=None)", "SGDClassifier(tol=1e-3, early_stopping=True)"),
        ("early_stopping", "GradientBoostingRegressor()", "GradientBoostingRegressor(n_iter_no_change=15)"),
        ("class_weight", "LogisticRegression()", 'LogisticRegression(class_weight="balanced")'),
        ("class_weight", "RandomForestClassifier(class_weight=None)", 'RandomForestClassifier(class_weight="balanced")'),
        ("enough_iterations", "LogisticRegression(max_iter=10, C=2)", "LogisticRegression(max_iter=200, C=2)"),
        ("missing_values", "SimpleImputer()", 'SimpleImputer(strategy="median", add_indicator=True)'),
        ("missing_values", "SimpleImputer(strategy='mean')", 'SimpleImputer(strategy="median", add_indicator=True)'),
        ("restarts", "KMeans(8, n_init=1)", "KMeans(8, n_init=4, max_iter=75)"),
        ("restarts", "GaussianMixture(3, max_iter=80)", "GaussianMixture(3, max_iter=20, n_init=4)"),
        ("restarts", "MiniBatchKMeans(8, n_init=1)", "MiniBatchKMeans(8, n_init=4)"),
        (
            "bagging",
            "DecisionTreeClassifier(random_state=seed)",
            "BaggingClassifier(DecisionTreeClassifier(random_state=seed), n_estimators=5, max_samples=0.4, random_state=seed)",
        ),
        (
            "target_transform",
            "Ridge()  # house price",
            "TransformedTargetRegressor(regressor=Ridge(), transformer=PowerTransformer())  # house price",
        ),
    ],
)
def test_writes(bench, lever, before, after):
    assert f"model = {after}\n" in bench(lever).change(f"{HEAD}model = {before}\n")


@pytest.mark.parametrize(
    ("lever", "text"),
    [
        ("early_stopping", "MLPClassifier(solver='lbfgs')"),
        ("early_stopping", "MLPClassifier(early_stopping=flag)"),
        ("early_stopping", "GradientBoostingRegressor(n_iter_no_change=5)"),
        ("class_weight", "LogisticRegression(class_weight={0: 2})"),
        ("enough_iterations", "LogisticRegression(max_iter=1000)"),
        ("enough_iterations", "LogisticRegression(max_iter=rounds)"),
        ("missing_values", "SimpleImputer(strategy='constant')"),
        ("restarts", "KMeans(8)"),
        ("restarts", "KMeans(8, n_init=1, max_iter=20)"),
        ("restarts", "KMeans(8, n_init=1, init=centers)"),
        ("bagging", "RandomForestClassifier()"),
        ("bagging", "DecisionTreeClassifier()\nprint(model.tree_)"),
        ("target_transform", "Ridge()"),
        ("target_transform", "Ridge()  # price\ny = np.log(y)"),
        ("target_transform", "Ridge()  # price\nprint(model.coef_)"),
    ],
)
def test_leaves_alone(bench, lever, text):
    assert not bench(lever).sites(f"{HEAD}model = {text}\n")


@pytest.mark.parametrize("lever", ["early_stopping", "class_weight", "restarts", "bagging", "missing_values"])
def test_protected_files_are_left_alone(bench, lever):
    models = "MLPClassifier(), LogisticRegression(), KMeans(n_init=1), DecisionTreeClassifier(), SimpleImputer()"
    assert bench(lever).sites(f"{HEAD}models = {models}\n")
    assert not bench(lever).sites(f"{HEAD}models = {models}\n", protected=("train.py",))
    assert not bench(lever).sites(f"{HEAD}models = {models}\n", symbols={"train.py": ("models",)})
