"""Scaling goes in front of estimators that need it, inside the pipeline, once."""

import pytest

PLAIN = '''
"""Trains a classifier."""

from sklearn.linear_model import LogisticRegression  # the model


def build(c):
    # regularized
    return LogisticRegression(C=c, max_iter=200)
'''


def test_wraps_a_bare_estimator_and_keeps_the_rest(bench):
    text = bench("scale_features").change(PLAIN)
    assert "return make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=200))" in text
    assert "from sklearn.pipeline import make_pipeline\n" in text
    assert "from sklearn.preprocessing import StandardScaler\n" in text
    assert "# the model" in text
    assert "# regularized" in text


def test_becomes_the_first_step_of_a_pipeline(bench):
    made = bench("scale_features").change(
        """
        from sklearn.decomposition import PCA
        from sklearn.pipeline import Pipeline
        from sklearn.svm import SVC

        model = Pipeline([("reduce", PCA(5)), ("classify", SVC())])
        """
    )
    assert 'Pipeline([("scale_features", StandardScaler()), ("reduce", PCA(5)), ("classify", SVC())])' in made


@pytest.mark.parametrize(
    "rest",
    [
        "X = StandardScaler().fit_transform(X)",
        "X = (X - mean) / X.std(axis=0)",
        "X = images / 255.0",
        "print(model.coef_)",
        "model.fit(X, y, sample_weight=w)",
        "X = TfidfVectorizer().fit_transform(texts)",
        "GridSearchCV(model, param_grid={'C': [1]})",
    ],
)
def test_leaves_alone_what_is_scaled_or_would_break(bench, rest):
    imports = (
        "from sklearn.linear_model import LogisticRegression\nfrom sklearn.preprocessing import StandardScaler\n"
        "from sklearn.feature_extraction.text import TfidfVectorizer\nfrom sklearn.model_selection import GridSearchCV\n"
    )
    assert not bench("scale_features").sites(f"{imports}model = LogisticRegression()\n{rest}\n")


def test_leaves_alone_a_scaled_pipeline_and_insensitive_models(bench):
    assert not bench("scale_features").sites(
        """
        from sklearn.ensemble import RandomForestClassifier
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import RobustScaler
        from sklearn.svm import SVC

        a = make_pipeline(RobustScaler(), SVC())
        b = RandomForestClassifier()
        """
    )


def test_protected_files_and_symbols_are_left_alone(bench):
    assert not bench("scale_features").sites(PLAIN, protected=("train.py",))
    assert not bench("scale_features").sites(PLAIN, symbols={"train.py": ("build",)})
    assert bench("scale_features").sites(PLAIN, symbols={"train.py": ("other",)})
    assert not bench("scale_features").sites({"train.py": PLAIN, "main.py": "print()"}, reached=("main.py",))
