# ruff: noqa: E501 (a line of a repository is a line here)
"""Repositories that need a GPU, a screen, an answer, a service, a git history; and odd outputs."""

from __future__ import annotations

from tests.broken import DATA, PRINT, SCORED, Broken
from tests.broken.libraries import MATPLOTLIB, TORCH, WANDB

_TORCH = {"torch-2.6": TORCH}

REPOSITORIES: dict[str, Broken] = {
    "cuda-method": Broken(
        "CUDA-ONLY",
        "--- requirements.txt\ntorch\n--- evaluate.py\nimport torch\nloss = torch.tensor(0.25).cuda()\nprint('accuracy:', 1 - loss.item())\n",
        ("cuda-only",), wheels=_TORCH,
    ),
    "cuda-device-option": Broken(
        "CUDA-ONLY",
        "--- requirements.txt\ntorch\n--- evaluate.py\nimport argparse, torch\nparser = argparse.ArgumentParser()\n"
        "parser.add_argument('--device', default='cuda:0')\nargs = parser.parse_args()\ntorch.cuda.set_device(0)\n"
        "loss = torch.tensor(0.25).to(args.device)\nprint('accuracy:', 1 - loss.item())\n",
        ("cuda-only",), wheels=_TORCH,
    ),
    "cuda-asserted": Broken(
        "CUDA-ONLY",
        "--- requirements.txt\ntorch\n--- evaluate.py\nimport torch\nassert torch.cuda.is_available(), 'a GPU is required'\n"
        "print('accuracy:', 1 - torch.tensor(0.25).item())\n",
        ("cuda-only",), wheels=_TORCH,
    ),
    "plot-window": Broken(
        "HEADLESS",
        f"--- requirements.txt\nmatplotlib\n--- evaluate.py\nimport matplotlib\nmatplotlib.use('TkAgg')\n{SCORED}{DATA}",
        ("headless-plotting",), wheels={"matplotlib-3.9": MATPLOTLIB},
    ),
    "question": Broken(
        "HEADLESS", f"--- evaluate.py\nanswer = input('Press Enter')\nassert answer == ''\n{SCORED}{DATA}", ("closed-standard-input",)
    ),
    "login": Broken(
        "LOGGING-SERVICE",
        f"--- requirements.txt\nwandb\n--- evaluate.py\nimport os, wandb\nos.environ['WANDB_MODE'] = 'online'\nwandb.init(project='x')\n{SCORED}{DATA}",
        ("login-service",), wheels={"wandb-0.17": WANDB},
    ),
    "git-commit": Broken(
        "NO-GIT-METADATA",
        f"--- evaluate.py\nimport subprocess\nsha = subprocess.check_output(['git', 'rev-parse', 'HEAD']).strip()\n{SCORED}{DATA}",
        ("no-git-metadata",),
    ),
    "own-distribution-version": Broken(
        "NO-GIT-METADATA",
        "--- pyproject.toml\n[build-system]\nrequires = [\"setuptools\", \"setuptools_scm\"]\nbuild-backend = \"setuptools.build_meta\"\n"
        "[project]\nname = \"paper-code\"\ndynamic = [\"version\"]\n--- paper_code/__init__.py\nfrom importlib.metadata import version\n"
        f"__version__ = version('paper-code')\n--- evaluate.py\nimport paper_code\n{SCORED}{DATA}",
    ),
    "crash-after-metric": Broken(
        "CRASH-AFTER-METRIC", f"--- evaluate.py\n{SCORED}raise RuntimeError('plotting failed')\n{DATA}", ()
    ),
    "literal-among-progress": Broken(
        "METRIC-FORMAT",
        "--- evaluate.py\nimport sys\nfor i in range(40):\n    sys.stderr.write(f'\\rstep {i}/40')\n    print(f'epoch {i} loss: {1 / (i + 1):.3f}')\n"
        "rows = [line.split() for line in open('data/test.csv')]\nclass Float(float):\n    def __repr__(self):\n"
        "        return f'np.float64({float(self)})'\nprint({'accuracy': Float(sum(a == b for a, b in rows) / len(rows))})\n" + DATA, (),
    ),
    "latent-failure": Broken(
        "LATENT",
        "--- evaluate.py\nimport sys\nif len(sys.argv) > 5:\n    import pandas as pd\n    pd.DataFrame().drop(['a'], 1)\n"
        f"    import time\n    time.clock()\n{SCORED}{DATA}", (),
        wheels={"pandas-3.0": "--- pandas.py\n"},
    ),
    "loader-workers": Broken(
        "NEVER-EXITS",
        "--- requirements.txt\ntorch\n--- evaluate.py\nimport torch\ndef load(num_workers=0):\n    if num_workers:\n"
        "        raise RuntimeError('DataLoader worker (pid(s) 17) exited unexpectedly')\n"
        f"    return [line.split() for line in open('data/test.csv')]\nrows = load(num_workers=4)\n{PRINT}{DATA}",
        ("data-loader-workers",), wheels=_TORCH,
    ),
    "documented-arguments": Broken(
        "SHELL-ENTRY",
        "--- README.md\n# Code\n\n## Evaluation\n\n```\npython evaluate.py --data data/test.csv\n```\n--- evaluate.py\nimport argparse\n"
        "parser = argparse.ArgumentParser()\nparser.add_argument('--data', required=True)\nargs = parser.parse_args()\n"
        f"rows = [line.split() for line in open(args.data)]\n{PRINT}{DATA}",
        command="python evaluate.py",
    ),
}  # fmt: skip
