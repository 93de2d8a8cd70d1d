# ruff: noqa: E501 (a line of a repository is a line here)
"""Repositories that look for files, folders and modules where only the author had them."""

from __future__ import annotations

from tests.broken import DATA, PRINT, SCORED, Broken

_OPENED = "rows = [line.split() for line in open({})]\n"


def _reads(place: str) -> str:
    return _OPENED.format(place) + PRINT


_JOINED = _reads("os.path.join(ROOT, 'data/test.csv')")
_CONFIGURED = _reads("config['data']")
_VARIABLE = _reads("os.path.join(os.environ['DATA_ROOT'], 'test.csv')")

REPOSITORIES: dict[str, Broken] = {
    "hard-coded-path": Broken(
        "HARD-CODED-PATH", f"--- evaluate.py\n{_reads(repr('/home/someone/project/data/test.csv'))}{DATA}", ("hard-coded-path",)
    ),
    "hard-coded-root": Broken(
        "HARD-CODED-PATH",
        f"--- evaluate.py\nimport os, sys\nROOT = '/repo'\nsys.path.insert(0, ROOT)\n{_JOINED}{DATA}",
        ("hard-coded-path",),
    ),
    "path-in-configuration": Broken(
        "HARD-CODED-PATH",
        "--- config.json\n{\"data\": \"/mnt/storage/someone/project/data/test.csv\"}\n--- evaluate.py\nimport json\n"
        f"config = json.load(open('config.json'))\n{_CONFIGURED}{DATA}",
        ("hard-coded-path",),
    ),
    "windows-path": Broken(
        "HARD-CODED-PATH", f"--- evaluate.py\n{_reads(repr('data' + chr(92) + 'test.csv'))}{DATA}"
    ),
    "imports-from-author-home": Broken(
        "HARD-CODED-PATH",
        f"--- evaluate.py\nimport sys\nsys.path.append('/home/someone/project/lib')\nimport reading\nrows = reading.rows()\n{PRINT}"
        f"--- lib/reading.py\ndef rows():\n    return [line.split() for line in open('data/test.csv')]\n{DATA}",
    ),
    "variable-names-folder": Broken(
        "HARD-CODED-PATH", f"--- evaluate.py\nimport os\n{_VARIABLE}{DATA}"
    ),
    "own-module": Broken(
        "MIXED-IMPORTS",
        "--- scripts/evaluate.py\nfrom benchmarks.reading import rows\n" + PRINT +
        f"--- benchmarks/__init__.py\n--- benchmarks/reading.py\nrows = [line.split() for line in open('data/test.csv')]\n{DATA}",
        ("own-module-not-on-path",), "python scripts/evaluate.py",
    ),
    "mixed-imports": Broken(
        "MIXED-IMPORTS",
        "--- scripts/evaluate.py\nfrom src.reading import rows\nfrom tools.score import score\nprint('accuracy:', score(rows))\n"
        "--- src/reading.py\nrows = [line.split() for line in open('data/test.csv')]\n"
        f"--- src/tools/score.py\ndef score(rows):\n    return sum(a == b for a, b in rows) / len(rows)\n{DATA}",
        command="python scripts/evaluate.py",
    ),
    "relative-import": Broken(
        "MIXED-IMPORTS",
        f"--- tool/__init__.py\n--- tool/evaluate.py\nfrom .model import rows\n{PRINT}--- tool/model.py\n"
        f"rows = [line.split() for line in open('data/test.csv')]\n{DATA}",
        ("relative-import-in-script",), "python tool/evaluate.py",
    ),
    "output-folder": Broken(
        "MISSING-FOLDER",
        f"--- evaluate.py\nwith open('results/log.json', 'w') as file:\n    file.write('x')\n{SCORED}{DATA}", ("missing-output-folder",)
    ),
    "checkpoint-folder": Broken(
        "MISSING-FOLDER",
        "--- evaluate.py\nimport pickle\ndef save(model, name):\n    with open(f'checkpoints/run/{name}.pkl', 'wb') as file:\n"
        f"        pickle.dump(model, file)\nsave([1], 'best')\n{SCORED}{DATA}", ("missing-output-folder",)
    ),
    "working-folder": Broken(
        "WORKING-FOLDER", f"--- code/evaluate.py\nimport json\njson.load(open('config.json'))\nrows = [line.split() for line in open('../data/test.csv')]\n"
        f"{PRINT}--- code/config.json\n{{}}\n{DATA}", ("working-folder",), "python code/evaluate.py",
    ),
    "parent-folder": Broken(
        "WORKING-FOLDER", f"--- code/evaluate.py\n{_reads(repr('../data/test.csv'))}{DATA}", ("working-folder",), "python code/evaluate.py"
    ),
    "data-elsewhere": Broken(
        "DATA-MISSING", f"--- evaluate.py\n{_reads(repr('data/test.csv'))}{DATA.replace('data/', 'resources/sets/')}", ("data-elsewhere",)
    ),
    "compressed-data": Broken(
        "DATA-MISSING",
        f"--- evaluate.py\n{_reads(repr('data/test.csv'))}--- data/test.csv.gz\n<gzip>1 1\n0 1\n1 1\n0 0\n", ("compressed-data",)
    ),
    "train-first": Broken(
        "DATA-MISSING",
        "--- evaluate.py\nimport pickle\nmodel = pickle.load(open('model.pkl', 'rb'))\n"
        f"rows = [(model[a], b) for a, b in (line.split() for line in open('data/test.csv'))]\n{PRINT}"
        "--- train.py\nimport pickle\nif __name__ == '__main__':\n    pickle.dump({'0': '0', '1': '1'}, open('model.pkl', 'wb'))\n"
        f"{DATA}", ("train-first",),
    ),
    "results-in-author-home": Broken(
        "HARD-CODED-PATH",
        "--- evaluate.py\nimport os\nos.makedirs('/home/someone/results', exist_ok=True)\nopen('/home/someone/results/x.txt', 'w').write('x')\n"
        f"{SCORED}{DATA}", ("author-output-folder",),
    ),
    "documented-position": Broken(
        "SHELL-ENTRY",
        "--- README.md\n# Code\n\n## Evaluation\n\n```\npython evaluate.py data/test.csv\n```\n--- evaluate.py\nimport sys\n"
        f"{_reads('sys.argv[1]')}{DATA}", ("documented-arguments",),
    ),
}  # fmt: skip
