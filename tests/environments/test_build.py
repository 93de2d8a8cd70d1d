"""Environments are built from a folder of tiny wheels: no network, nothing of a package runs on the host."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import pytest

from autosota import environments, sandboxes
from autosota.environments import interpreters
from autosota.errors import StageError, UsageError
from autosota.ports import Command, Executor, Tree
from autosota.records import Recipe
from tests.environments.wheelhouse import BACKEND, only, source, wheel


@pytest.fixture(scope="module")
def executor(tmp_path_factory: pytest.TempPathFactory) -> Executor:
    return sandboxes.open_executor(None, tmp_path_factory.mktemp("scratch"))


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "wheels"
    only(monkeypatch, folder)
    return folder


def build(tmp_path: Path, executor: Executor, files: dict[str, str], **options: object) -> Recipe:
    tree = {path: text.encode() for path, text in files.items()}
    return environments.build(tmp_path, tree, executor=executor, cache=tmp_path / "cache", **options)  # type: ignore[arg-type]


def run(executor: Executor, recipe: Recipe, tmp_path: Path, line: str) -> str:
    base = tmp_path / "base"
    base.mkdir(exist_ok=True)
    with executor.open(Tree(base), recipe=recipe) as sandbox:
        done = sandbox.run(Command(line))
    assert done.exit_code == 0, done.stderr
    return done.stdout.strip()


def versions(recipe: Recipe) -> dict[str, str]:
    return {package.name: package.version for package in recipe.packages}


def test_requirements_become_an_environment_that_works_in_the_sandbox(tmp_path: Path, executor: Executor, house: Path) -> None:
    wheel(house, "alpha", "1.2", {"alpha.py": "VALUE = 42\n"}, requires=["beta>=2"])
    wheel(house, "beta", "2.0", {"beta.py": "import alpha\n"})
    recipe = build(tmp_path, executor, {"requirements.txt": "alpha==1.2\n"})
    assert versions(recipe) == {"alpha": "1.2", "beta": "2.0"}
    assert run(executor, recipe, tmp_path, "python -c 'import alpha, beta; print(alpha.VALUE)'") == "42"
    assert recipe.requirements == ("alpha==1.2",)
    assert recipe.variables["MPLBACKEND"] == "Agg"


def test_second_build_is_the_same_folder_without_building(tmp_path: Path, executor: Executor, house: Path) -> None:
    wheel(house, "alpha", "1.2", {"alpha.py": ""})
    first = build(tmp_path, executor, {"requirements.txt": "alpha\n"})
    second = build(tmp_path, executor, {"requirements.txt": "alpha\n"})
    assert first.seconds > 0
    assert second.seconds == 0
    assert second.prefix == first.prefix
    assert second.packages == first.packages


def test_a_new_wheel_in_the_folder_is_seen(tmp_path: Path, executor: Executor, house: Path) -> None:
    wheel(house, "alpha", "1.2", {"alpha.py": ""})
    build(tmp_path, executor, {"requirements.txt": "alpha\n"})
    wheel(house, "alpha", "1.3", {"alpha.py": ""})
    assert versions(build(tmp_path, executor, {"requirements.txt": "alpha\n"})) == {"alpha": "1.3"}


def test_the_environment_cannot_be_written_to(tmp_path: Path, executor: Executor, house: Path) -> None:
    if not executor.isolated:
        pytest.skip("only isolating sandboxes keep the environment read-only")
    wheel(house, "alpha", "1", {"alpha.py": "X = 1\n"})
    recipe = build(tmp_path, executor, {"requirements.txt": "alpha\n"})
    assert (
        run(executor, recipe, tmp_path, "echo x > $(python -c 'import alpha; print(alpha.__file__)') || echo refused")
        == "refused"
    )


def test_bytecode_is_there_and_a_pth_file_does_not_run_on_the_host(tmp_path: Path, executor: Executor, house: Path) -> None:
    marker = tmp_path / "marker"
    wheel(
        house, "evil", "1", {"evil.pth": f"import os; open({str(marker)!r}, 'w')\n", "evil.py": f"open({str(marker)!r}, 'w')\n"}
    )
    recipe = build(tmp_path, executor, {"requirements.txt": "evil\n"})
    assert not marker.exists()
    assert list(Path(recipe.prefix).glob("lib/python3*/site-packages/__pycache__/evil.*.pyc"))


def test_a_source_archive_is_built_inside_the_sandbox(tmp_path: Path, executor: Executor, house: Path) -> None:
    marker = tmp_path / "marker"
    hostile = f"try:\n    open({str(marker)!r}, 'w').close()\nexcept OSError:\n    pass\n"
    backend = hostile + BACKEND.format(name="gamma", version="0.3", text="VALUE = 7\n")
    project = '[build-system]\nrequires = []\nbuild-backend = "make"\nbackend-path = ["."]\n'
    source(house, "gamma", "0.3", {"pyproject.toml": project, "make.py": backend, "setup.py": hostile})
    recipe = build(tmp_path, executor, {"requirements.txt": "gamma\n"})
    assert run(executor, recipe, tmp_path, "python -c 'import gamma; print(gamma.VALUE)'") == "7"
    assert any("built from its source archive in the sandbox" in note for note in recipe.notes)
    if executor.isolated:
        assert not marker.exists()


def test_a_hostile_setup_script_of_the_repository_is_never_run(tmp_path: Path, executor: Executor, house: Path) -> None:
    marker = tmp_path / "marker"
    wheel(house, "alpha", "1", {"alpha.py": ""})
    text = f"open({str(marker)!r}, 'w')\nREQ = ['alpha']\nsetup(name='own', version='3', install_requires=REQ)\n"
    recipe = build(tmp_path, executor, {"setup.py": text, "own/__init__.py": ""})
    assert versions(recipe) == {"alpha": "1"}
    assert not marker.exists()


def test_the_repository_itself_counts_as_installed(tmp_path: Path, executor: Executor, house: Path) -> None:
    text = '[project]\nname = "my-tool"\nversion = "3.1"\n[project.scripts]\nmy-eval = "my_tool.main:run"\n'
    files = {"pyproject.toml": text, "src/my_tool/__init__.py": "", "src/my_tool/main.py": "def run():\n    print('score: 1')\n"}
    recipe = build(tmp_path, executor, files)
    base = tmp_path / "base"
    for path, content in files.items():
        (base / path).parent.mkdir(parents=True, exist_ok=True)
        (base / path).write_text(content)
    assert run(executor, recipe, tmp_path, "my-eval") == "score: 1"
    assert (
        run(executor, recipe, tmp_path, "python -c 'from importlib.metadata import version; print(version(\"my-tool\"))'")
        == "3.1"
    )


def test_without_a_manifest_the_imports_decide(tmp_path: Path, executor: Executor, house: Path) -> None:
    wheel(house, "PyYAML", "6", {"yaml.py": ""})
    code = "import os, yaml\nimport helper\ntry:\n    import ujson\nexcept ImportError:\n    pass\n"
    recipe = build(tmp_path, executor, {"main.py": code, "lib/helper.py": "import json\n"})
    assert recipe.requirements == ("PyYAML",)


def test_what_the_evaluation_imports_and_no_manifest_names_is_added(tmp_path: Path, executor: Executor, house: Path) -> None:
    wheel(house, "alpha", "1", {"alpha.py": ""})
    wheel(house, "PyYAML", "6", {"yaml.py": ""})
    files = {
        "requirements.txt": "alpha\n",
        "evaluate.py": "import core\n",
        "core.py": "import yaml, alpha\n",
        "other.py": "import absent\n",
    }
    recipe = build(tmp_path, executor, files, entries=["evaluate.py"])
    assert versions(recipe) == {"alpha": "1", "pyyaml": "6"}
    assert any("PyYAML" in note for note in recipe.notes)
    again = build(tmp_path, executor, files, entries=["evaluate.py"])
    assert again.prefix == recipe.prefix and again.seconds == 0 and again.notes == recipe.notes


@pytest.mark.parametrize(
    ("line", "expected", "word"),
    [
        ("alpha==1.0+cu116", "1.0", "GPU build"),
        ("alpha==0.9", "1.0", "any version"),
        ("alpha\nnot-on-any-index==3", "1.0", "no index has it"),
        ("alpha\nnvidia-cublas-cu11==11.10.3.66", "1.0", "GPUs only"),
        ("alpha @ file:///home/builder/alpha_1/work", "1.0", ""),
    ],
)
def test_what_cannot_be_had_is_relaxed_and_said(
    tmp_path: Path, executor: Executor, house: Path, line: str, expected: str, word: str
) -> None:
    wheel(house, "alpha", "1.0", {"alpha.py": ""})
    recipe = build(tmp_path, executor, {"requirements.txt": line + "\n"})
    assert versions(recipe) == {"alpha": expected}
    assert any(word in note for note in recipe.notes)


def test_conflicting_wishes_are_settled_for_the_repository(tmp_path: Path, executor: Executor, house: Path) -> None:
    for version in ("1", "2"):
        wheel(house, "core", version, {"core.py": f"V = {version}\n"})
    wheel(house, "old", "1", {"old.py": ""}, requires=["core<2"])
    recipe = build(tmp_path, executor, {"requirements.txt": "core==2\nold\n"})
    assert versions(recipe) == {"core": "2", "old": "1"}
    assert any("conflicting wishes" in note for note in recipe.notes)


def test_a_quiet_step_back_is_said(tmp_path: Path, executor: Executor, house: Path) -> None:
    wheel(house, "core", "1", {"core.py": ""})
    wheel(house, "data", "0.1", {"data.py": ""})
    wheel(house, "data", "3.0", {"data.py": ""}, requires=["core>=2"])
    recipe = build(tmp_path, executor, {"requirements.txt": "core\ndata\n"})
    assert versions(recipe)["data"] == "0.1"
    assert any("data 0.1 was chosen although 3.0 exists" in note for note in recipe.notes)


def test_nothing_to_be_had_is_an_error_with_a_hint(tmp_path: Path, executor: Executor, house: Path) -> None:
    wheel(house, "alpha", "1", {"alpha.py": ""}, requires=["alpha-base>=7"])
    wheel(house, "alpha-base", "6", {"alpha_base.py": ""}, tag="cp20-cp20-linux_x86_64")
    with pytest.raises(StageError) as caught:
        build(tmp_path, executor, {"requirements.txt": "alpha\nalpha-base==6\n", "main.py": "import alpha, alpha_base\n"})
    assert caught.value.hint


def test_extra_and_drop_change_what_is_asked(tmp_path: Path, executor: Executor, house: Path) -> None:
    for version in ("1", "2"):
        wheel(house, "alpha", version, {"alpha.py": ""})
    wheel(house, "beta", "1", {"beta.py": ""})
    recipe = build(tmp_path, executor, {"requirements.txt": "alpha\nbeta\n"}, extra=["alpha<2"], drop=["beta"])
    assert versions(recipe) == {"alpha": "1"}


def test_a_torn_draft_and_a_torn_folder_are_passed_over(tmp_path: Path, executor: Executor, house: Path) -> None:
    wheel(house, "alpha", "1", {"alpha.py": ""})
    first = build(tmp_path, executor, {"requirements.txt": "alpha\n"})
    cache = Path(first.prefix).parent
    (cache / ".draft-torn" / "bin").mkdir(parents=True)
    (Path(first.prefix) / "autosota-environment.json").unlink()
    Path(first.prefix).rename(cache / "0000")
    second = build(tmp_path, executor, {"requirements.txt": "alpha\n"})
    assert second.prefix == first.prefix
    assert run(executor, second, tmp_path, "python -c 'import alpha'") == ""


def test_builders_at_the_same_time_agree(tmp_path: Path, executor: Executor, house: Path) -> None:
    wheel(house, "alpha", "1", {"alpha.py": ""})
    found: list[Recipe] = []
    threads = [
        threading.Thread(target=lambda: found.append(build(tmp_path, executor, {"requirements.txt": "alpha\n"})))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({recipe.prefix for recipe in found}) == 1 and len(found) == 3
    assert not list(Path(found[0].prefix).parent.glob(".draft-*"))


def test_an_existing_interpreter_is_described_not_built(tmp_path: Path, executor: Executor, house: Path) -> None:
    recipe = build(tmp_path, executor, {"requirements.txt": "never-looked-at\n"}, python=sys.executable)
    assert versions(recipe)["pydantic"]
    assert run(executor, recipe, tmp_path, "python -c 'import pydantic; print(pydantic.__name__)'") == "pydantic"
    assert recipe.digest == build(tmp_path, executor, {}, python=sys.executable).digest


def test_an_interpreter_that_is_none_is_a_usage_error(tmp_path: Path, executor: Executor) -> None:
    for path in (tmp_path / "absent", Path("/bin/true")):
        with pytest.raises(UsageError):
            build(tmp_path, executor, {}, python=str(path))


def test_the_wished_python_is_chosen_where_there_is_one(tmp_path: Path, executor: Executor, house: Path) -> None:
    others = [item for item in interpreters.available() if item.path != interpreters.running().path]
    if not others:
        pytest.skip("this machine has one Python only")
    wanted = f"{others[0].version.major}.{others[0].version.minor}"
    recipe = build(tmp_path, executor, {".python-version": wanted + "\n", "main.py": ""})
    assert run(executor, recipe, tmp_path, "python -c 'import sys; print(\"%d.%d\" % sys.version_info[:2])'") == wanted


def test_no_shim_is_ever_an_interpreter() -> None:
    assert all("shims" not in item.path and os.path.realpath(item.path) == item.path for item in interpreters.available())
