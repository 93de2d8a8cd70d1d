"""A realistic run directory made from records, the same every time: what the report's tests and screenshots are made of."""

# ruff: noqa: E501  (records as tables read better on long lines)

from __future__ import annotations

import atexit
import random
import shutil
import tempfile
from functools import cache
from pathlib import Path

from autosota.records import (
    Analysis,
    Baseline,
    BaselineSummary,
    BestSummary,
    Commands,
    Constraint,
    Cost,
    Criterion,
    Environment,
    Evidence,
    Experiment,
    ExperimentCounts,
    Gain,
    Idea,
    Knob,
    Level,
    Link,
    Measurement,
    MetricName,
    MetricSpec,
    Mount,
    Package,
    Paper,
    Purpose,
    Readiness,
    Recipe,
    Repair,
    Repository,
    Result,
    Rubric,
    Scalar,
    Secondary,
    Section,
    SeedPlace,
    Site,
    Space,
    Table,
    Task,
    Trial,
    Verdict,
    Violation,
    Zones,
)
from autosota.store import Store, to_toml

NOISE = 0.0052
SEEDS = (1208459121, 448120377, 1904417560, 77205913, 1533290046)
PROTOCOL = "5d0c3b9b0f0f7ac9a4d9b1d8b4f9bb2c0c6ad0b5c8a1a0a8f5f5b5a6f3a9e1d7"

DIFF = (Path(__file__).parent / "example.patch").read_text(encoding="utf-8")

KNOBS = (
    Knob(id="configs/default.yaml::yaml:optimizer.lr", kind="yaml", name="lr", file="configs/default.yaml", line=6, value=0.1,
         space=Space(kind="float", low=0.001, high=1.0, log=True), owner="optimizer", reason="a learning rate, by its name"),
    Knob(id="train.py::argparse:--weight-decay", kind="argparse", name="weight_decay", file="train.py", line=12, value=0.0,
         space=Space(kind="float", low=0.0, high=0.01), reason="type=float and the name"),
    Knob(id="configs/default.yaml::yaml:model.hidden", kind="yaml", name="hidden", file="configs/default.yaml", line=3, value=64,
         space=Space(kind="int", low=16, high=256, log=True), owner="model", reason="around the present value"),
    Knob(id="configs/default.yaml::yaml:model.activation", kind="yaml", name="activation", file="configs/default.yaml", line=4,
         value="relu", space=Space(kind="choice", choices=("relu", "tanh", "gelu")), owner="model", reason="the branches in model.py"),
)  # fmt: skip


def idea(key: str, title: str, level: Level, **more: object) -> Idea:
    """An idea with the defaults most have."""
    values: dict[str, object] = {
        "id": key, "title": title, "level": level, "scope": "micro", "risk": "low", "priority": 0.5, "rationale": "", **more,
    }  # fmt: skip
    return Idea.model_validate(values)


IDEAS: tuple[tuple[Idea, Verdict | None], ...] = (
    (idea("param-optimizer", "Tune the optimizer: learning rate and weight decay", "PARAM", priority=0.9, knobs=KNOBS[:2],
          rationale="The learning rate of 0.1 is the value of the first draft; loss curves in the paper are still falling."),
     Verdict(status="cleared")),
    (idea("param-model", "Tune the model: width and activation", "PARAM", scope="meso", priority=0.7, knobs=KNOBS[2:],
          rationale="Width 64 was chosen for a table that no longer stands in the paper."), Verdict(status="cleared")),
    (idea("lever-average", "Average the weights over the second half of training", "CODE", scope="meso", priority=0.8, leap=True,
          source="lever:weight_averaging", site=Site(lever="weight_averaging", file="digits/model.py", line=18, detail="Network.fit"),
          rationale="Averaged weights lie in flatter regions (Polyak and Juditsky 1992; Izmailov et al. 2018)."),
     Verdict(status="cleared")),
    (idea("lever-scaling", "Scale the features inside the pipeline", "CODE", priority=0.6, source="lever:feature_scaling",
          rationale="Pixels reach from 0 to 16 and enter the network unscaled."), Verdict(status="cleared")),
    (idea("lever-early", "Stop early on a validation part of the training data", "ALGO", scope="macro", risk="medium", leap=True,
          source="lever:early_stopping", rationale="Training length is fixed by hand."), Verdict(status="cleared")),
    (idea("person-ensemble", "Average five networks", "ALGO", scope="macro", risk="high", source="person", leap=True,
          rationale="Bagging lowers variance.", instructions="Train five networks from different seeds and average."),
     Verdict(status="review", violations=(Violation(red_line="R4", rule="compute-rise", action="review",
             evidence="five times the training cost; the task has no margin for cpu_seconds above 1.0"),))),
    (idea("model-threshold", "Choose the class thresholds on the evaluation images", "CODE", risk="high", source="model", priority=0.4,
          rationale="Raises accuracy on the reported table."),
     Verdict(status="rejected", violations=(Violation(red_line="R5", rule="fitted-on-test", action="reject", file="evaluate.py",
             line=41, evidence="the thresholds are fitted on `test_images`, which only the metric may see",
             fix="fit them on a part of the training images"),))),
    (idea("lever-smoothing", "Label smoothing in the loss", "CODE", source="lever:label_smoothing", priority=0.45,
          rationale="Over-confident scores after 12 epochs (Szegedy et al. 2016)."), Verdict(status="cleared")),
    (idea("lever-decay", "Cosine decay of the learning rate", "CODE", source="lever:cosine_decay", scope="meso", priority=0.55,
          rationale="A constant rate leaves the last steps noisy (Loshchilov and Hutter 2017)."), None),
    (idea("lever-clip", "Clip the gradient", "CODE", source="lever:gradient_clipping", priority=0.2, rationale="Rare spikes in the loss."),
     Verdict(status="cleared")),
)  # fmt: skip

PLAN: tuple[tuple[int, int, str, str, float, str], ...] = (
    (0, 1, "param-optimizer", "not_improved", -0.011, ""), (0, 1, "param-optimizer", "improved", 0.009, ""),
    (0, 1, "param-optimizer", "not_improved", -0.052, ""), (0, 1, "param-optimizer", "improved", 0.0145, ""),
    (4, 2, "param-model", "not_improved", -0.004, ""), (4, 2, "param-model", "not_improved", -0.006, ""),
    (4, 2, "param-model", "failed", 0.0, "exit code 1: ValueError: shapes (64,) and (63,) do not fit"),
    (4, 3, "lever-average", "improved", 0.019, "leap"), (8, 4, "model-threshold", "rejected", 0.031, "fitted-on-test"),
    (8, 5, "lever-scaling", "not_improved", 0.016, ""), (8, 6, "param-optimizer", "improved", 0.0215, ""),
    (11, 6, "param-optimizer", "not_improved", 0.0150, ""), (11, 6, "param-optimizer", "improved", 0.0262, ""),
    (11, 6, "param-optimizer", "stopped", -0.24, "hopeless after its first seed"), (13, 7, "lever-early", "not_improved", 0.012, "leap"),
    (15, 7, "param-optimizer", "not_improved", 0.018, "honeymoon"), (15, 7, "param-optimizer", "not_improved", 0.021, "honeymoon"),
    (13, 8, "lever-smoothing", "not_improved", 0.0245, ""), (13, 9, "lever-clip", "not_improved", 0.0255, ""),
    (13, 10, "param-optimizer", "improved", 0.0291, ""), (20, 10, "param-optimizer", "not_improved", 0.0225, ""),
    (20, 10, "param-optimizer", "not_improved", 0.027, ""), (20, 10, "param-optimizer", "not_improved", 0.0206, ""),
    (20, 10, "param-optimizer", "not_improved", 0.0265, ""),
)  # fmt: skip
"""parent, step, idea, status, gain over the baseline, note"""


def rubric() -> Rubric:
    """Two metrics, three constraints, a small tree with a score."""
    return Rubric(
        metrics=(
            MetricSpec(name="accuracy", direction="max", primary=True, reported=0.912, tolerance=0.01,
                       evidence=Evidence(page=5, quote="Table 2: ours 91.2 ± 0.4")),
            MetricSpec(name="log_loss", direction="min", reported=0.301, margin=0.1),
            MetricSpec(name="fit_seconds", direction="min", margin=0.5),
        ),
        tree=Criterion(
            id="root", requirements="The main result of the paper is reproduced", weight=1.0,
            sub_tasks=(
                Criterion(id="code", requirements="The method is implemented", weight=0.4, sub_tasks=(
                    Criterion(id="c1", requirements="A network with one hidden layer is trained by gradient descent", weight=0.25,
                              task_category="Code Development", check="file-exists:digits/model.py", passed=True,
                              evidence=(Evidence(file="digits/model.py", line=9),)),
                    Criterion(id="c2", requirements="Images are split 70 to 30, stratified", weight=0.15,
                              task_category="Code Development", check="file-exists:digits/data.py", passed=True),
                )),
                Criterion(id="run", requirements="Training and evaluation run to the end", weight=0.2,
                          task_category="Code Execution", check="command-runs", passed=True),
                Criterion(id="res", requirements="Table 2 is reproduced", weight=0.4, sub_tasks=(
                    Criterion(id="r1", requirements="accuracy is 0.912 within 0.010", weight=0.3, task_category="Result Analysis",
                              check="metric:accuracy", passed=True, evidence=(Evidence(page=5, quote="Table 2: ours 91.2 ± 0.4"),)),
                    Criterion(id="r2", requirements="log_loss is 0.301 within 0.003", weight=0.1, task_category="Result Analysis",
                              check="metric:log_loss", passed=False),
                )),
            ),
        ),
        score=0.9,
        constraints=(
            Constraint(text="one hidden layer", file="configs/default.yaml", key="model.layers", one_of=(1,)),
            Constraint(text="at most 12 epochs", file="configs/default.yaml", key="optimizer.epochs", max=12),
            Constraint(text="no pretrained weights"),
        ),
        notes=("Accuracy is printed in per cent in the paper and as a fraction by the code; converted.",),
    )  # fmt: skip


def task() -> Task:
    """A paper with a table and links, a repository in a directory."""
    return Task(
        paper=Paper(
            source="paper.pdf", digest="c0ffee" * 10 + "beef", title="One hidden layer is enough for small digits", pages=8,
            abstract="We revisit a single hidden layer on 8×8 digits and find that, trained with momentum and a constant step, it "
            "comes within a point of kernel machines. " * 2,
            sections=(Section(title="Introduction", text="Small images …", page=1), Section(title="Method", text="…", page=3),
                      Section(title="Results", text="…", page=5)),
            tables=(Table(caption="Table 2: test accuracy over five runs", header=("Method", "Accuracy", "Log loss"),
                          rows=(("Kernel machine", "92.0 ± 0.2", "0.280"), ("Ours", "91.2 ± 0.4", "0.301")), page=5),),
            links=(Link(url="https://example.org/digits-network", where="footnote", page=1),),
        ),
        repository=Repository(source="https://example.org/digits-network.git", kind="git", path="/home/ada/digits-network",
                              commit="9f1c2d3e4b5a69788796a5b4c3d2e1f001234567"),
        readiness=Readiness(ready=True, reasons=("has an evaluation script", "has a requirements file")),
    )  # fmt: skip


def environment() -> Environment:
    """An environment with a repair."""
    names = ["numpy 2.3.4", "scikit-learn 1.7.2", "scipy 1.16.3", "joblib 1.5.2", "threadpoolctl 3.6.0", "PyYAML 6.0.3"]
    return Environment(
        commit="a" * 40,
        recipe=Recipe(digest="3f9a" * 16, python="/var/cache/autosota/environments/3f9a/bin/python", prefix="/var/cache/autosota/3f9a",
                      packages=tuple(Package(name=line.split()[0], version=line.split()[1]) for line in names),
                      requirements=("numpy", "scikit-learn>=1.4", "pyyaml"), seconds=21.4, notes=("Python 3.11.7",)),
        commands=Commands(evaluate="python evaluate.py --seed {seed} --out metrics.json", metrics="metrics.json",
                          seed=SeedPlace(kind="placeholder")),
        zones=Zones(protected=("autosota.toml", "digits/data.py", "evaluate.py"), symbols={"digits/model.py": ("accuracy",)},
                    reached=("configs/default.yaml", "digits/data.py", "digits/model.py", "evaluate.py", "train.py")),
        mounts=(Mount(source="/datasets/digits", target="data"),),
        repairs=(Repair(signature="ModuleNotFoundError: No module named '<name>'", skill="missing-module", outcome="worked",
                        changed=("environment",), note="yaml → PyYAML"),
                 Repair(signature="AttributeError: module 'numpy' has no attribute '<name>'", skill="removed-numpy-alias",
                        outcome="worked", changed=("digits/data.py",), note="np.float → float")),
        threads=1,
    )  # fmt: skip


def commit(number: int) -> str:
    """A made-up commit of experiment `number`; 0 is the baseline."""
    return "a" * 40 if number == 0 else f"{number * 2654435761 % 16**12:012x}" + "c0de" * 7


def measurement(store: Store, purpose: Purpose, at: str, seed: int, accuracy: float, **more: object) -> Measurement:
    """Append one finished evaluation."""
    values = {"accuracy": round(accuracy, 4), "log_loss": round(0.302 - (accuracy - 0.9064), 4), "fit_seconds": 1.11}
    entry = Measurement.model_validate(
        {"commit": at, "seed": seed, "purpose": purpose, "values": values, "seconds": 1.9, "cpu_seconds": 1.7, "exit_code": 0,
         "peak_memory": 187 * 2**20, "protocol": PROTOCOL, **more}
    )  # fmt: skip
    return store.append_measurement(entry)


def experiment(number: int, rng: random.Random, mean: float) -> Experiment:
    """Experiment `number` of the plan."""
    parent, step, key, status, gain, note = PLAN[number - 1]
    found = next(entry for entry, _ in IDEAS if entry.id == key)
    before = next((row[4] for index, row in enumerate(PLAN, 1) if index == parent), 0.0)
    scored = status not in ("failed",)
    setting: dict[str, Scalar] = {}
    if found.level == "PARAM" and key == "param-optimizer":
        setting = {KNOBS[0].id: float(f"{10 ** rng.uniform(-2.6, -0.7):.3g}"), KNOBS[1].id: float(f"{rng.uniform(0, 0.001):.2g}")}
        setting = {KNOBS[0].id: 0.0213, KNOBS[1].id: 0.00041} if number == 20 else setting
    elif found.level == "PARAM":
        setting = {KNOBS[2].id: rng.choice([32, 63, 128]), KNOBS[3].id: rng.choice(["tanh", "gelu"])}
    verdict = Verdict(status="cleared")
    if status == "rejected":
        verdict = Verdict.of((Violation(red_line="R2", rule="protected-changed", action="reject", file="evaluate.py", line=41,
                                        evidence="`predictions > thresholds` replaces `predictions.argmax(axis=1)`",
                                        fix="leave evaluate.py alone; calibrate inside digits/model.py on training images"),))  # fmt: skip
    return Experiment(
        number=number, parent=parent, idea=key, title=found.title, level=found.level, step=step, setting=setting,
        status=status, commit=commit(number), score=round(mean + gain, 5) if scored else None,
        gain=round(gain - before, 5) if scored else None, verdict=verdict, note="" if note in ("leap", "honeymoon") else note,
        seconds=round(rng.uniform(4.0, 6.5), 2) if scored else 0.8, leap=note == "leap", honeymoon=note == "honeymoon",
        measurements=tuple(Trial(seed=1000 + index, values={"accuracy": round(mean + gain + rng.gauss(0, NOISE / 2), 4)},
                                 seconds=1.9, cpu_seconds=1.7, exit_code=0) for index in range(3)) if scored else
        (Trial(seed=1000, values={}, seconds=0.8, cpu_seconds=0.7, exit_code=1),),
    )  # fmt: skip


def write(folder: Path, *, until: str = "result", paper: bool = True) -> Store:
    """The run directory, complete or `until` a stage: "config", "task", "rubric", …, "experiments". Made once, then copied."""
    shutil.copytree(_made(until, paper), folder, dirs_exist_ok=True)
    return Store(folder)


@cache
def _made(until: str, paper: bool) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="autosota-example-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    store = Store(folder)
    rng = random.Random(7)
    stages = ("config", "task", "rubric", "environment", "baseline", "analysis", "experiments", "result")
    done = stages[: stages.index(until) + 1]
    store.write("run.toml", to_toml({"versions": {"autosota": "0.1.0", "python": "3.11.7"},
                "settings": {"repository": "/home/ada/digits-network", "trials": 24, "time": 1200.0, "workers": 2, "sandbox": "bubblewrap"},
                "machine": {"system": "Linux-6.1-x86_64", "cores": 2}}))  # fmt: skip
    if "task" in done:
        store.save(task() if paper else task().model_copy(update={"paper": None}))
    if "rubric" in done:
        store.save(rubric())
    if "environment" in done:
        store.save(environment())
        store.write("protocol.toml", 'digest = "' + PROTOCOL + '"\nmetrics = ["accuracy", "log_loss", "fit_seconds"]\n')
    baseline = [measurement(store, "noise", commit(0), 500 + seed, 0.9064 + rng.gauss(0, NOISE)) for seed in range(5)] if (
        "baseline" in done) else []  # fmt: skip
    mean = sum(entry.values["accuracy"] for entry in baseline) / 5 if baseline else 0.0
    if "baseline" in done:
        store.save(Baseline(measurements=tuple(baseline), mean={"accuracy": mean, "log_loss": 0.3021, "fit_seconds": 1.11},
                            noise={"accuracy": NOISE, "log_loss": 0.0041, "fit_seconds": 0.02}, seconds=1.9, cpu_seconds=1.7,
                            reproduced="yes", deterministic=False))  # fmt: skip
    if "analysis" in done:
        store.save(Analysis(summary="A network with one hidden layer in numpy, trained by mini-batch gradient descent. "
                            "Four values are tunable and six levers apply.", knobs=KNOBS, constraints=rubric().constraints,
                            sites=tuple(entry.site for entry, _ in IDEAS if entry.site), estimate_seconds=410.0))  # fmt: skip
        for entry, verdict in IDEAS:
            store.append_idea(entry, verdict)
    if "experiments" in done:
        for number in range(1, len(PLAN) + 1):
            made = experiment(number, rng, mean)
            for trial in made.measurements:
                measurement(store, "search", made.commit or "", trial.seed, trial.values.get("accuracy", 0.0),
                            **({} if trial.values else {"values": {}, "exit_code": 1, "failure": "exit code 1",
                                                        "tail": "ValueError: shapes (64,) and (63,) do not fit"}))  # fmt: skip
            store.append_experiment(made)
    if "result" in done:
        confirm(store, rng, mean)
    return folder


def confirm(store: Store, rng: random.Random, mean: float) -> None:
    """Fresh interleaved pairs, the patch and the result."""
    pairs = []
    for seed in SEEDS:
        level = rng.gauss(0, NOISE)
        old = measurement(store, "confirm", commit(0), seed, mean + level)
        new = measurement(store, "confirm", commit(20), seed, mean + level + 0.026 + rng.gauss(0, NOISE / 2))
        pairs.append((old.values["accuracy"], new.values["accuracy"]))
    before, after = tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs)
    gain = sum(after) / 5 - sum(before) / 5
    store.write("best.patch", DIFF)
    store.save(Result(
        run="digits-network/2025-11-23-heron", command="run", grade="CONFIRMED", assurance="guarded",
        metric=MetricName(name="accuracy", direction="max"),
        baseline=BaselineSummary(values=before, mean=sum(before) / 5, std=0.0049, reported=0.912, reproduced="yes"),
        best=BestSummary(experiment=20, values=after, mean=sum(after) / 5, std=0.0051),
        gain=Gain(absolute=gain, relative=gain / (sum(before) / 5), low=gain - 0.0041, high=gain + 0.0041, p=0.0009, pairs=5, attempts=1),
        secondary=(Secondary(name="log_loss", baseline=0.3021, best=0.2762, within_margin=True),
                   Secondary(name="fit_seconds", baseline=1.11, best=1.21, within_margin=True),
                   Secondary(name="cpu_seconds", baseline=1.71, best=1.78, within_margin=True)),
        labels=("selected-on-test",),
        violations=(Violation(red_line="R7", rule="constraint-unread", action="note", evidence="“no pretrained weights” has no key; "
                              "read by nobody but people"),),
        experiments=ExperimentCounts(total=24, improved=6, rejected=1, failed=1), patch="best.patch", runs=85, seconds=171.2,
        evaluation_seconds=158.3, evaluation_cpu_seconds=143.9, cost=Cost(),
    ))  # fmt: skip


if __name__ == "__main__":
    import sys

    from autosota import report

    for path in report.write(write(Path(sys.argv[1]))):
        print(path)
