"""Known values, and simulated promises: what is claimed about error rates is measured here with fixed generators."""

import math
import random

import pytest

from autosota import statistics


@pytest.mark.parametrize(
    ("p", "freedom", "expected"),
    [(0.975, 1, 12.7062047364), (0.975, 2, 4.3026527297), (0.95, 7, 1.8945786051), (0.995, 2, 9.9248432009),
     (0.99, 30, 2.4572615424), (0.6, 4, 0.2707222947), (0.025, 10, -2.2281388520), (0.9995, 4, 8.6103015814)],
)  # fmt: skip
def test_quantiles_of_students_t_match_published_tables(p: float, freedom: int, expected: float) -> None:
    assert statistics.student_quantile(p, freedom) == pytest.approx(expected, rel=1e-9)
    assert statistics.student_cdf(expected, freedom) == pytest.approx(p, abs=1e-10)


def test_the_distribution_agrees_with_closed_forms() -> None:
    for t in (-50.0, -3.0, -0.4, 0.0, 0.1, 1.0, 7.5, 1e6):
        assert statistics.student_cdf(t, 1) == pytest.approx(0.5 + math.atan(t) / math.pi, abs=1e-12)
        assert statistics.student_cdf(t, 2) == pytest.approx(0.5 + t / (2 * math.sqrt(2 + t * t)), abs=1e-12)
    assert statistics.student_cdf(math.inf, 3) == 1.0
    assert statistics.student_cdf(1.3, 1e7) == pytest.approx(0.5 * math.erfc(-1.3 / math.sqrt(2)), abs=1e-7)


def test_tiny_tails_keep_their_digits() -> None:
    assert statistics.paired_p([1.0, 1.0001, 0.9999, 1.0002, 0.9998]) == pytest.approx(1.500e-16, rel=0.01)


@pytest.mark.parametrize("p", [0.0, 1.0, -0.1])
def test_a_quantile_needs_a_probability(p: float) -> None:
    with pytest.raises(ValueError, match="0 < p < 1"):
        statistics.student_quantile(p, 3)


def test_a_paired_p_value_known_from_textbooks() -> None:
    # Student's own sleep data (1908): t = 4.0621, two-sided p = 0.002833
    sleep = [1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]
    assert 2 * statistics.paired_p(sleep) == pytest.approx(0.002833, abs=1e-6)
    low, high = statistics.interval(sleep)
    assert (low, high) == (pytest.approx(0.7001142, abs=1e-6), pytest.approx(2.4598858, abs=1e-6))


@pytest.mark.parametrize("values", [[0.02] * 5, [0.1 + 0.2, 0.3, 0.3], [0.0, 0.0, 0.0], [1.0]])
def test_equal_differences_never_go_to_the_t_test(values: list[float]) -> None:
    with pytest.raises(ValueError, match="vary"):
        statistics.paired_p(values)
    assert statistics.decide([0.02] * 8) == "unconfirmed"
    assert statistics.decide([0.02] * 3) == "continue"
    assert statistics.interval([0.02] * 3) == (pytest.approx(0.02), pytest.approx(0.02))


def test_a_large_steady_gain_is_confirmed_at_the_first_look_and_a_loss_ends_there() -> None:
    assert statistics.decide([0.03, 0.031, 0.0305]) == "confirmed"
    assert statistics.decide([-0.03, -0.031, 0.0305]) == "futile"
    assert statistics.decide([0.03, 0.031]) == "continue"
    assert statistics.decide([0.0, 0.05, 0.01]) == "continue"
    assert statistics.decide([0.0, 0.05, 0.01], looks=(3,)) == "unconfirmed"


def test_what_is_confirmed_has_an_interval_above_zero() -> None:
    generator = random.Random(5)
    confirmed = 0
    for _ in range(600):
        differences = [generator.gauss(0.9, 1.0) for _ in range(8)]
        for look in statistics.LOOKS:
            if statistics.decide(differences[:look]) == "confirmed":
                confirmed += 1
                assert statistics.confirmation_interval(differences[:look])[0] > 0.0
    assert confirmed > 100


def test_a_later_attempt_needs_more() -> None:
    differences = [0.030, 0.035, 0.0325]
    assert statistics.decide(differences, attempt=1) == "confirmed"
    assert statistics.decide(differences, attempt=6) == "continue"
    assert sum(sum(statistics.levels(attempt)) for attempt in range(2, 200)) < 0.05
    with pytest.raises(ValueError, match="from 1"):
        statistics.levels(0)


def _confirm(effect: float, generator: random.Random) -> tuple[str, list[float]]:
    differences: list[float] = []
    while True:
        differences.append(generator.gauss(effect, 1.0))
        decision = statistics.decide(differences)
        if decision != "continue":
            return decision, differences


def test_false_confirmations_stay_under_five_per_cent() -> None:
    generator = random.Random(11)
    runs = [_confirm(0.0, generator)[0] for _ in range(3000)]
    assert statistics.wilson(runs.count("confirmed"), len(runs))[1] < 0.05


@pytest.mark.parametrize("effect", [0.0, 0.75, 1.5, 3.0])
def test_the_printed_interval_covers_the_truth_wherever_the_confirmation_stopped(effect: float) -> None:
    generator = random.Random(7)
    covered = 0
    for _ in range(1500):
        low, high = statistics.confirmation_interval(_confirm(effect, generator)[1])
        covered += low <= effect <= high
    assert statistics.wilson(covered, 1500)[1] > 0.95


def test_power_at_two_deviations() -> None:
    generator = random.Random(3)
    assert sum(_confirm(2.0, generator)[0] == "confirmed" for _ in range(400)) >= 390


def test_holm_steps_down() -> None:
    assert statistics.holm({"a": 0.01, "b": 0.04, "c": 0.03}) == {"a"}
    assert statistics.holm({"a": 0.01, "b": 0.02, "c": 0.03}) == {"a", "b", "c"}
    assert statistics.holm({}) == frozenset()


def test_a_worse_metric_is_seen_and_an_equal_one_is_not() -> None:
    assert statistics.harm_p([-0.02, -0.021, -0.019]) < 0.01
    assert statistics.harm_p([0.01, -0.012, 0.003]) > 0.2
    assert statistics.harm_p([-0.5, -0.5, -0.5]) == 0.0
    assert statistics.harm_p([0.0, 0.0, 0.0]) == 1.0


def test_non_inferiority_needs_evidence_within_the_margin() -> None:
    baseline = [1.0, 1.02, 0.98]
    assert statistics.harmless_p([-0.2, -0.21, -0.19], baseline, 0.5) < 0.01
    assert statistics.harmless_p([-0.9, -0.91, -0.89], baseline, 0.5) > 0.9
    assert statistics.harmless_p([-0.2, 0.9, -1.0], baseline, 0.5) > 0.05
    assert statistics.harmless_p([-0.5, -0.5], [1.0, 1.0], 0.5) == 0.0


def test_sign_flips_are_exact_for_few_items_and_close_for_many() -> None:
    assert statistics.sign_flip_p([1.0] * 5) == 1 / 32
    assert statistics.sign_flip_p([1.0] * 3 + [0.0] * 100) == 1 / 8
    assert statistics.sign_flip_p([0.0] * 9) == 1.0
    assert statistics.sign_flip_p([1.0] * 40 + [-1.0] * 10) < 0.001
    # 20 against 12 of 32 discordant items: one-sided binomial 0.1077
    assert statistics.sign_flip_p([1.0] * 20 + [-1.0] * 12) == pytest.approx(0.1077, abs=0.012)


def test_exact_bounds_of_a_rate() -> None:
    assert statistics.binomial_bound(0, 59, "high") == pytest.approx(0.0495, abs=1e-4)
    assert statistics.binomial_bound(59, 59, "low") == pytest.approx(1 - 0.0495, abs=1e-4)
    assert statistics.binomial_bound(900, 1000, "low") < 0.9 < statistics.binomial_bound(900, 1000, "high")
    assert statistics.wilson(20, 20)[0] == pytest.approx(0.839, abs=1e-3)


@pytest.mark.parametrize(("count", "expected"), [(1, 0.0), (2, 1 / math.sqrt(math.pi)), (4, 1.0294), (12, 1.6292), (50, 2.2491)])
def test_the_luck_of_the_best(count: int, expected: float) -> None:
    assert statistics.expected_maximum(count) == pytest.approx(expected, abs=1e-3)
    assert statistics.shrunk(5.0, 2.0, count) == pytest.approx(5.0 - 2.0 * expected, abs=3e-3)


def test_equal_differences_are_confirmed_by_the_sign_test_where_the_seed_moves_both_arms() -> None:
    assert statistics.sign_p([0.1] * 5) == 2**-5
    assert statistics.sign_p([0.1, 0.1, -0.1, 0.0]) == 0.5
    assert statistics.sign_p([]) == 1.0
    assert statistics.decide([0.1] * 8, seeded=True) == "confirmed"
    assert statistics.decide([0.1] * 5, seeded=True) == "continue"
    assert statistics.decide([0.1] * 8) == "unconfirmed"
    assert statistics.decide([0.1] * 8, attempt=4, seeded=True) == "unconfirmed"
