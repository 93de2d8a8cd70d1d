"""What a candidate may change, on layouts that research code really has. Names vary: nothing may depend on them."""

from __future__ import annotations

import json
from textwrap import dedent

import pytest

from autosota import zones
from autosota.records import Commands, Direction, MetricSpec, Zones


def tree(**files: str) -> dict[str, bytes]:
    """Keyword `a__b__c_py` is the file a/b/c.py."""
    return {_path(name): dedent(text).encode() for name, text in files.items()}


def _path(name: str) -> str:
    stem, _, suffix = name.rpartition("_")
    return f"{stem.replace('__', '/')}.{suffix}"


def find(
    files: dict[str, bytes], line: str = "", *, read: frozenset[str] | None = None, protected: tuple[str, ...] = (),
    free: tuple[str, ...] = (), metric: str = "", direction: Direction = "max", **commands: object,
) -> Zones:  # fmt: skip
    specs = (MetricSpec(name=metric, direction=direction),) if metric else ()
    given = Commands(evaluate=line or None, **commands)  # type: ignore[arg-type]
    return zones.find(files, given, read=read, protected=protected, free=free, metrics=specs)


SINGLE = """
    import argparse
    import numpy as np
    from sklearn.datasets import load_breast_cancer
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import accuracy_score
    from sklearn.model_selection import train_test_split

    {CONSTANT} = 0.25

    def {model}(c):
        return LogisticRegression(C=c, max_iter=200)

    def main():
        parser = argparse.ArgumentParser()
        parser.add_argument("--c", type=float, default=0.5)
        parser.add_argument("--seed", type=int, default=0)
        args = parser.parse_args()
        X, y = load_breast_cancer(return_X_y=True)
        a, b, c, d = train_test_split(X, y, test_size={CONSTANT}, random_state=args.seed)
        model = {model}(args.c)
        model.fit(a, c)
        print("{said}:", accuracy_score(d, model.predict(b)))

    main()
"""


@pytest.mark.parametrize(
    ("file", "constant", "model", "said"),
    [
        ("main", "TEST_SHARE", "build", "accuracy"),
        ("run_all", "HELD", "make_thing", "acc"),
        ("experiment", "Q", "f", "Test accuracy"),
    ],
)
def test_one_file_that_does_everything_is_free_but_for_its_calls(file: str, constant: str, model: str, said: str) -> None:
    text = dedent(SINGLE).replace("{CONSTANT}", constant).replace("{model}", model).replace("{said}", said)
    found = find({f"{file}.py": text.encode()}, f"python {file}.py --seed {{seed}}")
    assert not found.protected
    symbols = found.symbols[f"{file}.py"]
    assert {"main.accuracy_score", "main.train_test_split", "main.load_breast_cancer", constant, "--seed"} <= set(symbols)
    assert not {"main", model, "--c", "main.LogisticRegression", "main.predict", "main.fit"} & set(symbols)


EVALUATE = """
    import json, sys
    from sklearn.metrics import f1_score
    from {package}.{model} import {build}
    from {package}.{data} import {load}

    def main():
        X_train, y_train, X_test, y_test = {load}(seed=int(sys.argv[-1]))
        model = {build}()
        model.fit(X_train, y_train)
        with open("metrics.json", "w") as out:
            json.dump({{"f1": f1_score(y_test, model.predict(X_test))}}, out)

    main()
"""
DATA = """
    import numpy as np

    def {load}(seed):
        table = np.loadtxt("{place}/table.csv", delimiter=",")
        order = np.random.default_rng(seed).permutation(len(table))
        cut = int(0.8 * len(table))
        X, y = table[order, :-1], table[order, -1]
        return X[:cut], y[:cut], X[cut:], y[cut:]
"""
MODEL = """
    import numpy as np
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.metrics import accuracy_score
    from sklearn.model_selection import train_test_split

    class EarlyStopped:
        def __init__(self, trees=50, patience=3):
            self.trees, self.patience = trees, patience

        def fit(self, X, y):
            a, b, c, d = train_test_split(X, y, test_size=0.2, random_state=0)
            best = -1.0
            for trees in range(10, self.trees, 10):
                model = RandomForestClassifier(n_estimators=trees).fit(a, c)
                score = accuracy_score(d, model.predict(b))
                print(f"validation accuracy {{score}}")
                if score > best:
                    best, self.model = score, model
            return self

        def predict(self, X):
            return self.model.predict(X)

    def {build}():
        return EarlyStopped(trees=60)
"""


@pytest.mark.parametrize(
    ("entry", "package", "model", "data", "load", "build", "place"),
    [("evaluate", "src", "model", "data", "load_data", "build_model", "data"), ("a", "pkg", "metrics", "b", "g", "h", "files"),
     ("train", "lib", "evaluation", "scoring", "prepare", "evaluate", "assets")],
)  # fmt: skip
def test_evaluation_and_data_are_protected_and_the_model_with_its_validation_is_free(
    entry: str, package: str, model: str, data: str, load: str, build: str, place: str
) -> None:
    names = {"package": package, "model": model, "data": data, "load": load, "build": build, "place": place}
    files = {
        f"{entry}.py": dedent(EVALUATE).format(**names).encode(),
        f"{package}/__init__.py": b"",
        f"{package}/{model}.py": dedent(MODEL).format(**names).encode(),
        f"{package}/{data}.py": dedent(DATA).format(**names).encode(),
        f"{place}/table.csv": b"1,2,0\n3,4,1\n",
        "README.md": b"words",
    }
    found = find(files, f"python {entry}.py --seed {{seed}}", metrics="metrics.json")
    assert set(found.protected) == {f"{entry}.py", f"{package}/{data}.py", f"{place}/table.csv"}
    assert f"{package}/{model}.py" not in found.symbols


def test_the_whole_package_is_followed_from_a_module_and_a_wrapper_script() -> None:
    files = tree(
        go_sh="#!/bin/sh\nset -e\ncd code\nPYTHONPATH=lib python -m app.run --seed $1\n",
        code__app____init___py="",
        code__app__run_py="""
            from app.inner import report
            report()
        """,
        code__app__inner_py="""
            import numpy as np
            from tool.net import Net

            def report():
                x, y = np.load("x.npy"), np.load("y.npy")
                net = Net()
                net.fit(x[:50], y[:50])
                print("mse", float(np.mean((net.predict(x[50:]) - y[50:]) ** 2)))
        """,
        code__lib__tool____init___py="",
        code__lib__tool__net_py="""
            import numpy as np

            class Net:
                def fit(self, x, y, rate=0.1):
                    self.w = np.zeros(x.shape[1])
                    for _ in range(100):
                        self.w -= rate * x.T @ (x @ self.w - y)

                def predict(self, x):
                    return x @ self.w
        """,
    )
    files["code/x.npy"] = files["code/y.npy"] = b"\x93NUMPY"
    found = find(files, "bash go.sh {seed}")
    assert {"go.sh", "code/app/inner.py", "code/x.npy", "code/y.npy"} <= set(found.protected)
    assert "code/lib/tool/net.py" in found.reached
    assert not found.is_protected("code/lib/tool/net.py") and "code/lib/tool/net.py" not in found.symbols


def test_predict_and_score_apart() -> None:
    files = tree(
        p_py="""
            import numpy as np, sys
            from m import Thing
            x, y, z = np.load("a.npz")["x"], np.load("a.npz")["y"], np.load("b.npy")
            np.savez(sys.argv[2] + "/out.npz", Thing(width=3).fit(x, y).predict(z))
        """,
        s_py="""
            import numpy as np, sys
            from judge import compare
            print("accuracy:", compare(np.load(sys.argv[1] + "/out.npz")["arr_0"], np.load(sys.argv[2] + "/labels.npy")))
        """,
        judge_py="""
            def compare(p, q):
                return (p == q).mean()
        """,
        m_py="""
            class Thing:
                def __init__(self, width): self.width = width
                def fit(self, x, y): return self
                def predict(self, z): return z
        """,
    )
    files |= {"a.npz": b"PK\0", "b.npy": b"\0", "labels.npy": b"\0"}
    found = find(
        files,
        predict="python p.py --out {outputs}",
        score="python s.py {outputs} {labels}",
        outputs=("out.npz",),
        labels=("labels.npy",),
    )
    assert {"s.py", "judge.py", "a.npz", "b.npy", "labels.npy"} <= set(found.protected)
    assert not {"p.py", "m.py"} & set(found.protected)
    assert "load" in found.symbols["p.py"]


def test_an_optimizer_is_free_and_its_objective_protected() -> None:
    files = tree(
        bench_py="""
            import argparse
            from swarm import minimize
            from hills import bumpy

            if __name__ == "__main__":
                parser = argparse.ArgumentParser()
                parser.add_argument("--seed", type=int, default=0)
                seed = parser.parse_args().seed
                best = minimize(bumpy, 10, 2000, seed)
                print(f"loss: {best:.5f}")
        """,
        swarm_py="""
            import numpy as np

            def minimize(function, size, calls, seed, inertia=0.7):
                rng = np.random.default_rng(seed)
                x = rng.normal(size=(20, size))
                best = np.inf
                for _ in range(calls // 20):
                    values = [function(row) for row in x]
                    best = min(best, min(values))
                    x = inertia * x + rng.normal(size=x.shape)
                return best
        """,
        hills_py="""
            import numpy as np

            def bumpy(x):
                return float(np.sum(x ** 2 - 10 * np.cos(2 * np.pi * x)) + 10 * len(x))
        """,
    )
    found = find(files, "python bench.py --seed {seed}", metric="loss", direction="min")
    assert "hills.py" in found.protected
    assert "swarm.py" not in found.protected and "swarm.py" not in found.symbols


def test_a_clustering_method_is_free_and_its_quality_measure_protected() -> None:
    files = tree(
        cluster_py="""
            import numpy as np
            from quality import inertia
            from points import draw

            def kmeans(x, k, rng):
                centers = x[rng.choice(len(x), k)]
                for _ in range(20):
                    owner = ((x[:, None] - centers[None]) ** 2).sum(2).argmin(1)
                    centers = np.array([x[owner == j].mean(0) for j in range(k)])
                return centers

            rng = np.random.default_rng(0)
            x = draw(500)
            print("inertia:", inertia(x, kmeans(x, 5, rng)))
        """,
        quality_py="""
            def inertia(x, centers):
                return ((x[:, None] - centers[None]) ** 2).sum(2).min(1).sum()
        """,
        points_py="""
            import numpy as np

            def draw(n):
                return np.random.default_rng(7).normal(size=(n, 2))
        """,
    )
    found = find(files, "python cluster.py")
    assert {"quality.py", "points.py"} <= set(found.protected)
    assert "cluster.py" not in found.protected
    assert "kmeans" not in found.symbols["cluster.py"]
    assert "inertia" in found.symbols["cluster.py"]


def test_cross_validation_in_the_script_keeps_folds_and_score() -> None:
    files = tree(
        cv_py="""
            import numpy as np, pandas as pd
            from sklearn.metrics import roc_auc_score
            from sklearn.model_selection import StratifiedKFold
            from sklearn.svm import SVC

            def run(frame):
                x, y = frame.drop(columns="t").values, frame["t"].values
                scores = []
                for a, b in StratifiedKFold(5).split(x, y):
                    model = SVC(C=1.0, probability=True).fit(x[a], y[a])
                    scores.append(roc_auc_score(y[b], model.predict_proba(x[b])[:, 1]))
                return scores

            scores = run(pd.read_csv("table.csv"))
            print("auc", np.mean(scores))
        """,
        table_csv="a,t\n1,0\n",
    )
    found = find(files, "python cv.py")
    symbols = set(found.symbols["cv.py"])
    assert {"run.roc_auc_score", "read_csv"} <= symbols
    assert symbols & {"run.StratifiedKFold", "run.split"}
    assert "run" not in symbols and "run.SVC" not in symbols


def test_notebooks_are_read_cell_by_cell() -> None:
    cells = [
        "%matplotlib inline\nimport numpy as np\nfrom sklearn.metrics import mean_absolute_error",
        "from sklearn.linear_model import Ridge",
        "!pip list\nx = np.loadtxt('series.csv')\ntrain, test = x[:80], x[80:]",
        "model = Ridge(alpha=1.0).fit(train[:-1, None], train[1:])",
        "print('MAE', mean_absolute_error(test[1:], model.predict(test[:-1, None])))",
    ]
    notebook = {"cells": [{"cell_type": "code", "source": cell.splitlines(keepends=True)} for cell in cells], "nbformat": 4}
    files = {"study.ipynb": json.dumps(notebook).encode(), "series.csv": b"1\n2\n"}
    found = find(files, "jupyter nbconvert --to notebook --execute study.ipynb")
    assert "series.csv" in found.protected
    assert {"mean_absolute_error", "loadtxt"} <= set(found.symbols["study.ipynb"])
    assert "Ridge" not in found.symbols["study.ipynb"]


def test_configuration_is_free_except_for_the_protocols_keys() -> None:
    files = tree(
        job_py="""
            import yaml, numpy as np
            from sklearn.metrics import accuracy_score
            from sklearn.model_selection import train_test_split
            from sklearn.neural_network import MLPClassifier
            config = yaml.safe_load(open("settings.yaml"))
            x = np.load(config["input"])
            y = np.load(config["truth"])
            a, b, c, d = train_test_split(x, y, test_size=config["division"]["held"], random_state=config["seed"])
            model = MLPClassifier(**config["network"]).fit(a, c)
            print("accuracy", accuracy_score(d, model.predict(b)))
        """,
        settings_yaml="""
            seed: 1
            input: x.npy
            truth: y.npy
            division: {held: 0.25}
            network: {alpha: 0.01, hidden_layer_sizes: 30}
        """,
    )
    found = find(files, "python job.py")
    assert set(found.symbols["settings.yaml"]) == {"seed", "input", "truth", "division.held"}


def test_options_that_feed_the_split_are_protected_and_others_are_not() -> None:
    files = tree(
        job_py="""
            import argparse
            from sklearn.datasets import load_wine
            from sklearn.metrics import accuracy_score
            from sklearn.model_selection import train_test_split
            from sklearn.svm import SVC
            parser = argparse.ArgumentParser()
            parser.add_argument("--penalty", type=float, default=1.0)
            parser.add_argument("--reserve", type=float, default=0.3)
            args = parser.parse_args()
            x, y = load_wine(return_X_y=True)
            a, b, c, d = train_test_split(x, y, test_size=args.reserve)
            print("accuracy", accuracy_score(d, SVC(C=args.penalty).fit(a, c).predict(b)))
        """
    )
    symbols = find(files, "python job.py").symbols["job.py"]
    assert "--reserve" in symbols and "--penalty" not in symbols


def test_the_users_globs_win() -> None:
    names = {"package": "src", "model": "model", "data": "data", "load": "load", "build": "build", "place": "data"}
    files = {
        "evaluate.py": dedent(EVALUATE).format(**names).encode(),
        "src/model.py": dedent(MODEL).format(**names).encode(),
        "src/data.py": dedent(DATA).format(**names).encode(),
        "data/table.csv": b"1\n",
        "notes.txt": b"x",
    }
    line = "python evaluate.py 1"
    assert "src/model.py" in find(files, line, protected=("src/*.py",)).protected
    only = find(files, line, free=("src/model.py",))
    assert set(only.protected) == {"evaluate.py", "src/data.py", "data/table.csv", "notes.txt"}
    assert "src/data.py" not in find(files, line, free=("src/**",)).protected
    assert "src/data.py" in find(files, line, free=("src/**",), protected=("src/data.py",)).protected
    assert find(files, line, protected=("src/model.py::EarlyStopped.predict",)).symbols["src/model.py"] == (
        "EarlyStopped.predict",
    )


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [("data/**", "data/a/b.csv", True), ("data", "data/a.csv", True), ("data/", "data", False), ("*.csv", "deep/x.csv", True),
     ("src/*.py", "src/a/b.py", False), ("**/x.py", "x.py", True), ("a[0-1].py", "a1.py", True), ("a.py", "b/a.py", False),
     ("./a.py", "a.py", True), ("a(b.py", "a(b.py", True), ("[!a].py", "a.py", False), ("[", "[", True)],
)  # fmt: skip
def test_globs(pattern: str, path: str, expected: bool) -> None:
    assert zones.matches(path, pattern) is expected


def test_a_trace_tells_which_files_matter() -> None:
    files = tree(
        e_py="""
            import importlib
            print("score:", importlib.import_module("plug" + "in").rate())
        """,
        plugin_py="""
            import numpy as np
            def rate():
                a, b = np.load("p.npy"), np.load("q.npy")
                return float((a == b).mean())
        """,
        words_txt="hello",
        list_txt="0 1\n",
    )
    found = find(files, "python e.py", read=frozenset({"e.py", "plugin.py", "list.txt"}))
    assert "plugin.py" in found.reached and {"list.txt", "plugin.py"} <= set(found.protected)
    assert "words.txt" not in found.protected


@pytest.mark.parametrize("content", [b"def f(:\n", b"\xff\xfe\x00\x01", b"(" * 5000, b"x = '" + b"\xe9" + b"'\n", b""])
def test_unreadable_code_is_no_error(content: bytes) -> None:
    found = find({"run.py": content, "sub/other.py": content, "c.yaml": b"a: [", "d.json": b"{", "e.toml": b"="}, "python run.py")
    assert any("no code was found" in note for note in found.notes)


def test_results_of_earlier_runs_are_neither_data_nor_protected() -> None:
    files = {**tree(e_py="print('x: 1')"), "metrics.json": b'[{"a": 1}]', "out.csv": b"1\n"}
    found = find(files, "python e.py", metrics="metrics.json", items="out.csv")
    assert not {"metrics.json", "out.csv"} & set(found.protected)


def test_a_metric_is_found_beside_the_file_of_answers_that_its_function_writes() -> None:
    files = tree(
        run_py="""
            from bench import report
            from learner import Learner
            import numpy as np
            x, y = np.load("x.npy"), np.load("y.npy")
            report(Learner().fit(x, y), x, y)
        """,
        bench_py="""
            from sklearn.metrics import accuracy_score
            def report(model, x, y):
                answers = model.predict(x)
                with open("answers.csv", "w") as file:
                    file.writelines(f"{answer}\\n" for answer in answers)
                rate = accuracy_score(y, answers)
                print(f"accuracy: {rate}")
        """,
        learner_py="""
            class Learner:
                def fit(self, x, y):
                    return self
                def predict(self, x):
                    return x[:, 0] > 0
        """,
    )
    found = find(files, "python run.py")
    assert "bench.py" in found.protected and "learner.py" not in found.protected
