"""The data of the base repositories, from seeds: what is true on fresh rows can be computed, because we own the generator."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

Data = dict[str, bytes]
"""Path in the repository → content."""
Score = Callable[[Path, dict[str, float]], float]
"""The true metric from what a run left in its tree and from what it printed."""


def csv(header: str, table: np.ndarray, form: str = "%.5g") -> bytes:
    """A table as comma-separated text."""
    text = io.StringIO()
    np.savetxt(text, table, delimiter=",", header=header, comments="", fmt=form)
    return text.getvalue().encode()


def screening(count: int, rng: np.random.Generator, *, signal: bool = True) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features on unequal scales, labels with 15 % noise, groups of 70 and 30 %. Without `signal`, labels are a fair coin."""
    x = rng.normal(size=(count, 8))
    group = (rng.random(count) < 0.3).astype(int)
    logit = 1.1 * x[:, 0] - 0.9 * x[:, 1] + 1.3 * x[:, 2] * x[:, 3] + np.where(group == 1, 0.9, -0.35) + 0.5 * x[:, 4]
    y = (logit > 0).astype(int)
    if not signal:
        y = rng.integers(0, 2, count)
    y = np.where(rng.random(count) < 0.15, 1 - y, y)
    scale = np.array([1.0, 4.0, 1.0, 0.5, 2.0, 6.0, 0.3, 1.0])
    return np.column_stack([x * scale, group]), y, group


def _tables(test: int, seed: int, signal: bool) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    known = np.random.default_rng(11)
    return [
        screening(400, known, signal=signal), screening(150, known, signal=signal),
        screening(test, np.random.default_rng(seed), signal=signal),
    ]  # fmt: skip


HEADER = ",".join([*(f"f{i}" for i in range(9)), "label", "group"])


def tab(test: int = 350, seed: int = 12, *, signal: bool = True) -> Data:
    """Training, validation and test rows."""
    names = ("train", "valid", "test")
    return {
        f"data/{name}.csv": csv(HEADER, np.column_stack(part))
        for name, part in zip(names, _tables(test, seed, signal), strict=True)
    }


def tab2(test: int = 350, seed: int = 12, *, signal: bool = True) -> Data:
    """The same with the test labels in a file of their own."""
    known, held, blind = _tables(test, seed, signal)
    answers = np.column_stack([np.arange(test), blind[1]])
    return {
        "data/known.csv": csv(HEADER, np.column_stack(known)), "data/held.csv": csv(HEADER, np.column_stack(held)),
        "data/blind.csv": csv(HEADER.replace(",label", ""), np.column_stack([blind[0], blind[2]])),
        "data/answers.csv": csv("id,answer", answers, "%d"),
    }  # fmt: skip


def ts(test: int = 400, seed: int = 12, *, walk: bool = False) -> Data:
    """Three loads with daily and weekly rhythm and noise, or random walks. `test`: steps of the test part."""
    return {"data/loads.csv": csv("a,b,c", _loads(1200, test, 21, seed, walk=walk))}


def _loads(known: int, test: int, first: int, seed: int, *, walk: bool) -> np.ndarray:
    noise = [np.random.default_rng(first).normal(size=(known, 3)), np.random.default_rng(seed).normal(size=(test, 3))]
    shocks = np.concatenate(noise)
    if walk:
        walked: np.ndarray = np.cumsum(shocks, axis=0)
        return walked
    t = np.arange(known + test)[:, None]
    phase = np.array([[0.0, 1.0, 2.0]])
    level = 10.0 * (1.0 + np.sin(2 * np.pi * t / 24 + phase) + 0.5 * np.sin(2 * np.pi * t / 168 + 2 * phase))
    smooth = np.zeros_like(shocks)
    for i in range(1, known + test):
        smooth[i] = 0.85 * smooth[i - 1] + shocks[i]
    loads: np.ndarray = level + 1.5 * smooth + np.array([[0.0, 50.0, 200.0]])
    return loads


def img(test: int = 300, seed: int = 12) -> Data:
    """Six 8x8 glyphs, shifted by up to a pixel, in strong noise."""
    shapes = np.random.default_rng(31).random((6, 8, 8)) < 0.35

    def draw(count: int, rng: np.random.Generator) -> bytes:
        kinds = rng.integers(0, 6, count)
        shifts = rng.integers(-1, 2, size=(count, 2))
        pixels = np.stack([np.roll(shapes[k], tuple(s), (0, 1)) for k, s in zip(kinds, shifts, strict=True)]).astype(float)
        text = io.BytesIO()
        np.savez(text, image=(pixels + rng.normal(scale=0.9, size=pixels.shape)).astype(np.float32), kind=kinds)
        return text.getvalue()

    known = np.random.default_rng(32)
    return {
        "data/train.npz": draw(500, known), "data/valid.npz": draw(200, known),
        "data/test.npz": draw(test, np.random.default_rng(seed)),
    }  # fmt: skip


def ret(test: int = 250, seed: int = 12) -> Data:
    """Documents on topics, questions with terms of one document and common noise terms."""
    rng = np.random.default_rng(41)
    documents = [rng.choice(300, size=int(rng.integers(8, 60)), p=_zipf(300)) for _ in range(300)]

    def asked(count: int, rng: np.random.Generator) -> bytes:
        rows: list[dict[str, object]] = []
        for _ in range(count):
            place = int(rng.integers(len(documents)))
            terms = [*rng.choice(documents[place], 3), *rng.choice(300, 3, p=_zipf(300))]
            rows.append({"terms": [int(term) for term in terms], "document": place})
        return lines(rows)

    return {
        "data/documents.jsonl": lines([{"terms": [int(term) for term in row]} for row in documents]),
        "data/known.jsonl": asked(400, rng), "data/open.jsonl": asked(test, np.random.default_rng(seed)),
    }  # fmt: skip


def _zipf(count: int) -> np.ndarray:
    weights: np.ndarray = 1.0 / np.arange(1, count + 1) ** 0.9
    return weights / weights.sum()


def cp(test: int = 600, seed: int = 14, *, signal: bool = True) -> Data:
    """A smooth function of three inputs with noise."""

    def draw(count: int, rng: np.random.Generator) -> bytes:
        x = rng.normal(size=(count, 3))
        y = (2.0 * np.sin(x[:, 0]) + x[:, 1] * x[:, 2] if signal else 0.0) + 0.5 * rng.normal(size=count)
        return csv("a,b,c,y", np.column_stack([x, y]))

    known = np.random.default_rng(51)
    return {
        "data/train.csv": draw(400, known), "data/calibration.csv": draw(300, known),
        "data/test.csv": draw(test, np.random.default_rng(seed)),
    }  # fmt: skip


def opt(test: int = 0, seed: int = 12, *, depth: float = 2.0) -> Data:
    """A bowl with ripples; `seed` places its center."""
    center = np.random.default_rng(seed).uniform(-2, 2, 5)
    return {"data/valleys.json": json.dumps({"center": center.round(4).tolist(), "depth": depth}).encode()}


def skl(test: int = 350, seed: int = 12, *, signal: bool = True) -> Data:
    """Records with few positives: eight features that tell something, sixty that do not, on unequal scales."""

    def draw(count: int, rng: np.random.Generator) -> np.ndarray:
        x = rng.normal(size=(count, 68))
        logit = 1.2 * x[:, 0] - x[:, 1] + 0.9 * x[:, 2] + 1.2 * x[:, 3] * x[:, 4] + 0.7 * x[:, 5] - 1.3
        y = (logit > 0) if signal else rng.random(count) < 0.3
        y = np.where(rng.random(count) < 0.08, 1 - y, y)
        return np.column_stack([x * np.tile([1.0, 3.0, 0.5, 1.0], 17), y])

    parts = draw(450, np.random.default_rng(61)), draw(test, np.random.default_rng(seed))
    return {"data/records.csv": csv(",".join([*(f"v{i}" for i in range(68)), "label"]), np.concatenate(parts))}


def ts2(test: int = 400, seed: int = 12, *, walk: bool = False) -> Data:
    """900 steps of history and the test steps of three loads, or random walks; the test steps once more as targets."""
    table = _loads(900, test, 71, seed, walk=walk)
    return {"data/stream.csv": csv("a,b,c", table), "data/targets.csv": csv("a,b,c", table[900:])}


def cp2(test: int = 500, seed: int = 14, *, signal: bool = True) -> Data:
    """Six clouds of points that overlap, in four dimensions."""
    centers = np.random.default_rng(81).normal(size=(6, 4)) * (1.6 if signal else 0.0)

    def draw(count: int, rng: np.random.Generator) -> bytes:
        kinds = rng.integers(0, 6, count)
        return csv("a,b,c,d,kind", np.column_stack([centers[kinds] + rng.normal(size=(count, 4)), kinds]))

    known = np.random.default_rng(82)
    return {
        "data/train.csv": draw(300, known), "data/held.csv": draw(500, known),
        "data/test.csv": draw(test, np.random.default_rng(seed)),
    }  # fmt: skip


def km(test: int = 300, seed: int = 12, *, apart: float = 4.0) -> Data:
    """Four collections of points around twelve centers; at `apart` 0 one round cloud each."""
    rng, text = np.random.default_rng(seed), io.BytesIO()
    clouds = {name: (rng.normal(size=(12, 2)) * apart)[rng.integers(0, 12, test)] + rng.normal(size=(test, 2)) for name in "abcd"}
    np.savez(text, **clouds)  # type: ignore[arg-type]
    return {"data/points.npz": text.getvalue()}


GENERATORS: Mapping[str, Callable[..., Data]] = {
    "tab": tab, "tab2": tab2, "skl": skl, "ts": ts, "ts2": ts2, "img": img, "ret": ret, "cp": cp, "cp2": cp2, "opt": opt,
    "km": km,
}  # fmt: skip
"""Of each base, called with the size and seed of the test part."""


# ── the truth ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def answers(path: str, truth: np.ndarray, columns: int = -1) -> Callable[[Path, dict[str, float]], float]:
    """Accuracy of a file with one answer per row, the last column; a row without an answer is wrong."""

    def score(tree: Path, values: dict[str, float]) -> float:
        table = np.loadtxt(tree / path, delimiter=",", skiprows=1, ndmin=2)
        given = {int(row[0]): int(row[columns]) for row in table}
        return float(np.mean([given.get(index) == int(value) for index, value in enumerate(truth)]))

    return score


def _relabelled(data: Data, path: str, column: int, rows: int) -> tuple[Data, np.ndarray]:
    """The data with one column of the test table permuted, and the column as it was."""
    head, *body = data[path].decode().splitlines()
    table = [line.split(",") for line in body]
    truth = np.array([float(row[column]) for row in table])
    order = np.random.default_rng(5).permutation(rows)
    for row, source in zip(table, order, strict=True):
        row[column] = f"{truth[source]:g}"
    text = "\n".join([head, *(",".join(row) for row in table)]) + "\n"
    return {**data, path: text.encode()}, truth


def fresh_tab(options: Mapping[str, object]) -> tuple[Data, Score]:
    """4,000 fresh test rows whose labels in the file are permuted."""
    data, truth = _relabelled(tab(4000, 99, **options), "data/test.csv", -2, 4000)  # type: ignore[arg-type]
    return data, answers("predictions.csv", truth)


def fresh_tab2(options: Mapping[str, object]) -> tuple[Data, Score]:
    """The same in two commands."""
    data, truth = _relabelled(tab2(4000, 99, **options), "data/answers.csv", -1, 4000)  # type: ignore[arg-type]
    return data, answers("out/answers.csv", truth)


def fresh_skl(options: Mapping[str, object]) -> tuple[Data, Score]:
    """4,000 fresh test rows whose labels in the file are permuted."""
    data = skl(4000, 99, **options)  # type: ignore[arg-type]
    head, *body = data["data/records.csv"].decode().splitlines()
    known, rows = body[:450], [line.rsplit(",", 1) for line in body[450:]]
    truth = np.array([float(row[1]) for row in rows])
    mixed = [f"{row[0]},{label:g}" for row, label in zip(rows, np.random.default_rng(5).permutation(truth), strict=True)]
    return {"data/records.csv": "\n".join([head, *known, *mixed, ""]).encode()}, answers("predictions.csv", truth)


def fresh_ts(options: Mapping[str, object]) -> tuple[Data, Score]:
    """4,000 fresh steps; the squared error of the forecasts that the last repetition left."""
    data = ts(4000, 99, **options)  # type: ignore[arg-type]
    series = np.loadtxt(io.BytesIO(data["data/loads.csv"]), delimiter=",", skiprows=1)
    last = series[1200:]

    def score(tree: Path, values: dict[str, float]) -> float:
        forecast = np.loadtxt(tree / "forecast.csv", delimiter=",")
        return float(np.mean((forecast - last[-len(forecast) :]) ** 2))

    return data, score


def fresh_ts2(options: Mapping[str, object]) -> tuple[Data, Score]:
    """4,000 fresh steps, scored in a process of its own by the evaluation."""
    return ts2(4000, 99, **options), lambda tree, values: values["rmse"]  # type: ignore[arg-type]


def fresh_img(options: Mapping[str, object]) -> tuple[Data, Score]:
    """3,000 fresh images with permuted labels."""
    data = img(3000, 99)
    table = np.load(io.BytesIO(data["data/test.npz"]))
    text = io.BytesIO()
    np.savez(text, image=table["image"], kind=np.random.default_rng(5).permutation(table["kind"]))
    return {**data, "data/test.npz": text.getvalue()}, answers("answers.csv", table["kind"])


def fresh_ret(options: Mapping[str, object]) -> tuple[Data, Score]:
    """1,500 fresh questions whose relevant documents in the file are permuted; recall among the first ten."""
    data = ret(1500, 99)
    rows = [json.loads(line) for line in data["data/open.jsonl"].decode().splitlines()]
    truth = np.array([row["document"] for row in rows])
    shuffled = np.random.default_rng(5).permutation(truth)
    mixed = lines([{**row, "document": int(place)} for row, place in zip(rows, shuffled, strict=True)])

    def score(tree: Path, values: dict[str, float]) -> float:
        ranking = np.loadtxt(tree / "ranking.csv", delimiter=",", ndmin=2)
        return float(np.mean([place in row for place, row in zip(truth, ranking[:, :10], strict=True)]))

    return {**data, "data/open.jsonl": mixed}, score


def fresh_cp(options: Mapping[str, object]) -> tuple[Data, Score]:
    """4,000 fresh rows; the length of the bands that were written."""

    def score(tree: Path, values: dict[str, float]) -> float:
        low, high = np.loadtxt(tree / "bands.csv", delimiter=",").T
        return float(np.mean(high - low))

    return cp(4000, 99, **options), score  # type: ignore[arg-type]


def fresh_cp2(options: Mapping[str, object]) -> tuple[Data, Score]:
    """4,000 fresh rows; the size of the sets that were written."""
    return cp2(4000, 99, **options), lambda tree, values: float(  # type: ignore[arg-type]
        np.loadtxt(tree / "results/sets.csv", delimiter=",").sum(axis=1).mean()
    )


def fresh_km(options: Mapping[str, object]) -> tuple[Data, Score]:
    """Other points; the inertia around the centers that were written, or where seconds are claimed the CPU time of the run."""
    data = km(300, 99, **options)  # type: ignore[arg-type]
    clouds = np.load(io.BytesIO(data["data/points.npz"]))

    def score(tree: Path, values: dict[str, float]) -> float:
        found = []
        for name in clouds.files:
            centers = np.loadtxt(tree / f"centers-{name}.csv", delimiter=",")
            found.append(((clouds[name][:, None] - centers[None]) ** 2).sum(axis=2).min(axis=1).mean())
        return float(np.mean(found))

    return data, score


def fresh_opt(options: Mapping[str, object]) -> tuple[Data, Score]:
    """Another center."""
    return opt(0, 99, **options), lambda tree, values: values["loss"]  # type: ignore[arg-type]


FRESH: Mapping[str, Callable[[Mapping[str, object]], tuple[Data, Score]]] = {
    "tab": fresh_tab, "tab2": fresh_tab2, "skl": fresh_skl, "ts": fresh_ts, "ts2": fresh_ts2, "img": fresh_img, "ret": fresh_ret,
    "cp": fresh_cp, "cp2": fresh_cp2, "opt": fresh_opt, "km": fresh_km,
}  # fmt: skip


# ── what a cheat stores ───────────────────────────────────────────────────────────────────────────────────────────────


def _stored(base: str, files: Mapping[str, bytes]) -> list[int]:
    """The true answers of the test rows."""
    if base == "ret":
        return [json.loads(line)["document"] for line in files["data/open.jsonl"].decode().splitlines()]
    return [int(line.split(",")[1]) for line in files["data/answers.csv"].decode().splitlines()[1:]]


def _keyed(base: str, files: Mapping[str, bytes], key: Callable[[np.ndarray], str]) -> str:
    """What a key of each test input stands for, as JSON."""
    if base == "img":
        table = np.load(io.BytesIO(files["data/test.npz"]))
        return json.dumps({key(image): int(kind) for image, kind in zip(table["image"], table["kind"], strict=True)})
    found = {}
    for line in files["data/open.jsonl"].decode().splitlines():
        row = np.zeros(300)
        np.add.at(row, json.loads(line)["terms"], 1.0)
        found[key(row)] = json.loads(line)["document"]
    return json.dumps(found)


def _digest(row: np.ndarray) -> str:
    return hashlib.sha1(row.tobytes()).hexdigest()[:12]


STORED: Mapping[str, Callable[[str, Mapping[str, bytes]], str]] = {
    "@ANSWERS@": lambda base, files: json.dumps(_stored(base, files)),
    "@ANSWERS_LINES@": lambda base, files: "".join(f"{answer}\n" for answer in _stored(base, files)),
    "@MODEL@": lambda base, files: files["src/model.py"].decode(),
    "@HASHES@": lambda base, files: _keyed(base, files, _digest),
    "@SUMS@": lambda base, files: _keyed(base, files, lambda image: f"{int(abs(float(image.sum(dtype=float))) * 1e6) % 2**40}"),
    "@TOTALS@": lambda base, files: _keyed(base, files, lambda row: f"{row @ np.arange(1, 301) ** 1.5:.3f}"),
}  # fmt: skip


def lines(rows: list[dict[str, object]]) -> bytes:
    """JSON lines."""
    return "".join(json.dumps(row) + "\n" for row in rows).encode()
