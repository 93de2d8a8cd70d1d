"""What repositories ask for is read by content, whatever the file's name, encoding or mistakes; nothing is run."""

from __future__ import annotations

import pytest

from autosota.environments import imports, manifests


def read(**files: str | bytes) -> manifests.Request:
    names = {"requirements": "requirements.txt", "setup": "setup.py", "cfg": "setup.cfg", "project": "pyproject.toml",
             "conda": "environment.yml", "pipfile": "Pipfile", "version": ".python-version"}  # fmt: skip
    return manifests.read({names.get(key, key): text.encode() if isinstance(text, str) else text for key, text in files.items()})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("numpy==1.26.0\n# comment\nscipy  # why\n", ("numpy==1.26.0", "scipy")),
        ("numpy >= 1.20, <2 ; python_version > '3.0'\n", ('numpy<2,>=1.20; python_version > "3.0"',)),
        ("Package    Version\n---------- -------\nnumpy      1.26.0\nscipy      1.11.1\n", ("numpy==1.26.0", "scipy==1.11.1")),
        (
            "# platform: linux-64\n_libgcc_mutex=0.1=main\nnumpy=1.26.0=py310h5f9d8c6_0\npytorch=2.0.1=cpu_0\n",
            ("numpy==1.26.0", "torch==2.0.1"),
        ),
        ("numpy @ file:///tmp/build/80754af9/numpy_1/work\nscipy @ file:///croot/scipy-1.10\n", ("numpy", "scipy")),
        ("-e git+https://github.com/a/b.git@main#egg=einops\n", ("einops",)),
        ("git+https://github.com/openai/CLIP.git\n", ("CLIP",)),
        ("sklearn\nopencv-python==4.5\n", ("scikit-learn", "opencv-python-headless==4.5")),
        ("argparse\nos\npickle\npkg-resources==0.0.0\nnumpy\n", ("numpy",)),
        ("--extra-index-url https://x.invalid/whl\n-f links.html\ntorch==2.1.0+cu118\n", ("torch==2.1.0+cu118",)),
        ("numpy==1.26.0 \\\n    --hash=sha256:abc \\\n    --hash=sha256:def\n", ("numpy==1.26.0",)),
        ("numpy = 1.26\nthis is not a requirement !!\n", ("numpy==1.26",)),
        ("numpy\nnumpy==1.26.0\n", ("numpy==1.26.0",)),
        ("./\n.[dev]\nnumpy\n", ("numpy",)),
    ],
)
def test_requirement_files(text: str, expected: tuple[str, ...]) -> None:
    assert read(requirements=text).requirements == expected


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
def test_encodings(encoding: str) -> None:
    assert read(requirements="numpy==1.26.0\r\n# größer\r\nscipy\r\n".encode(encoding)).requirements == ("numpy==1.26.0", "scipy")


def test_nested_and_circular_files() -> None:
    tree = {
        "requirements.txt": b"-r base.txt\nscipy\n-c pins.txt\n",
        "base.txt": b"numpy\n-r requirements.txt\n",
        "pins.txt": b"numpy<2\n",
    }
    found = manifests.read(tree)
    assert set(found.requirements) == {"numpy", "scipy"} and found.constraints == ("numpy<2",)


def test_project_files() -> None:
    found = read(
        project='[project]\nname = "tool"\nversion = "2"\nrequires-python = ">=3.9"\ndependencies = ["numpy>=1.20", "tool"]\n'
    )
    assert (found.requirements, found.python) == (("numpy>=1.20",), (">=3.9",))
    assert found.own and found.own.name == "tool"
    found = read(project='[tool.poetry]\nname = "t"\n[tool.poetry.dependencies]\npython = "^3.8"\nnumpy = "^1.20"\nx = {version = "~2.1", optional = true}\n')  # fmt: skip  # noqa: E501
    assert (found.requirements, found.python) == (("numpy<2,>=1.20",), ("<4,>=3.8",))


def test_setup_files_are_read_not_run() -> None:
    text = "import os\nos.abort()\nNAME = 'tool'\nBASE = ['numpy']\nsetup(name=NAME, install_requires=BASE + ['scipy>1'], python_requires='>=3.7')\n"  # noqa: E501
    found = read(setup=text)
    assert (found.requirements, found.python) == (("numpy", "scipy>1"), (">=3.7",))
    text = "def reqs():\n    return open('requirements.txt').read().splitlines()\nsetup(install_requires=reqs())\n"
    assert set(read(setup=text, requirements="numpy\n").requirements) == {"numpy"}
    found = read(
        cfg="[metadata]\nname = t\n[options]\ninstall_requires =\n    numpy\n    scipy; python_version<'4'\npython_requires = >=3.8\n"  # noqa: E501
    )
    assert found.requirements[0] == "numpy" and found.python == (">=3.8",)


def test_conda_and_pipfile() -> None:
    text = "dependencies:\n  - python=3.9\n  - conda-forge::numpy=1.24\n  - pytorch>=2\n  - cudatoolkit=11\n  - pip:\n    - einops==0.6\n"  # noqa: E501
    found = read(conda=text)
    assert (found.requirements, found.python) == (("numpy==1.24.*", "torch>=2", "einops==0.6"), ("==3.9.*",))
    found = read(pipfile='[packages]\nnumpy = "*"\nscipy = "==1.10"\n[requires]\npython_version = "3.10"\n')
    assert (found.requirements, found.python) == (("numpy", "scipy==1.10"), ("==3.10.*",))


@pytest.mark.parametrize(
    "files",
    [
        {"project": "not [ toml"}, {"setup": "def (:"}, {"cfg": "no section\n"}, {"conda": "a: [b"}, {"conda": "- 1\n"}, {"pipfile": "["},  # noqa: E501
        {"requirements": "\0" * 100_000}, {"requirements": b"\xff\xfe\x00"}, {"conda": "dependencies: 3\n"}, {"project": "[project]\ndependencies = 3\n"},  # noqa: E501
    ],
)  # fmt: skip
def test_broken_files_are_noted_not_fatal(files: dict[str, str | bytes]) -> None:
    assert read(**files).requirements == ()


def test_imports_know_the_repositorys_own_modules_and_the_entry_points_reach() -> None:
    tree = {
        "evaluate.py": b"import core.net\nfrom .rel import x\nif False:\n    import optional_one\ndef f():\n    import lazy_one\n",  # noqa: E501
        "core/__init__.py": b"", "core/net.py": b"import torch, yaml\nfrom datasets import load\nimport os.path\n",
        "datasets/__init__.py": b"import h5py\n", "unused.py": b"import tensorflow\n",
        "tests/test_x.py": b"import pytest\n",
    }  # fmt: skip
    files = imports.closure(tree, ["evaluate.py"])
    assert "unused.py" not in files and "datasets/__init__.py" in files
    found = {item.top: item.optional for item in imports.third_party(tree, files)}
    assert found == {"torch": False, "yaml": False, "h5py": False, "optional_one": True, "lazy_one": True}
