"""Bigrams and damped counts where a vectorizer leaves them at their defaults."""

import pytest

HEAD = "from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer\n"


def test_adds_what_is_not_set(bench):
    assert "TfidfVectorizer(min_df=2, ngram_range=(1, 2), sublinear_tf=True)" in bench("text_features").change(
        HEAD + "v = TfidfVectorizer(min_df=2)\n"
    )
    assert "CountVectorizer(ngram_range=(1, 2))" in bench("text_features").change(HEAD + "v = CountVectorizer()\n")


def test_a_call_over_several_lines_stays_so(bench):
    text = bench("text_features").change(
        HEAD + "v = TfidfVectorizer(\n    min_df=2,  # rare words out\n    ngram_range=(1, 1),\n)\n"
    )
    assert "    min_df=2,  # rare words out\n    ngram_range=(1, 1),\n    sublinear_tf=True,\n)" in text


@pytest.mark.parametrize(
    "call",
    [
        "CountVectorizer(ngram_range=(1, 3))",
        "TfidfVectorizer(**options)",
        "TfidfVectorizer(analyzer='char')",
        "CountVectorizer(vocabulary=v)",
    ],
)
def test_leaves_alone(bench, call):
    assert not bench("text_features").sites(HEAD + f"v = {call}\n")
