"""The protocol lock (validity.md 3.1): everything that both arms share, fixed before any idea exists, hashed into every record.

`protocol.toml` is for people to read, correct and sign off; its digest does not depend on layout, comments or the order of keys.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError

from autosota import crossed, sealing, statistics, syntax
from autosota.errors import UsageError
from autosota.ports import Limits
from autosota.records import Commands, Constraint, Environment, MetricSpec, Record, Rubric

FILE_NAME = "protocol.toml"
_READABLE = 160
_HEAD = """\
# Protocol lock: what every evaluation of this run stands on, in both arms.
# The digest of this content stands in every line of the ledger; a changed protocol is another protocol. To correct it, change
# the task file (metrics, margins, protected, free, constraints, limits) and start a new run. To sign it off, add a table
#   [sign_off]
#   who = "..."
#   note = "..."
# at the end; it is no part of the digest.
"""


class Seeding(Record):
    """How seeds are drawn and what claims over them spend; the secret itself stays with the host."""

    noise: int
    """Baseline repeats for the noise floor."""
    search: int
    """Seeds that search compares candidates on."""
    looks: tuple[int, ...] = statistics.LOOKS
    levels: tuple[float, ...] = statistics.LEVELS
    items: float = crossed.LEVEL
    """One-sided level of the bound over items, before it is divided by what a candidate was chosen from."""
    secret: str = ""
    """sha256 of the run's secret, stored before the first seed is drawn."""


class Bounds(Record):
    """Limits of one evaluation; absent: none."""

    seconds: float
    cpu_seconds: float | None = None
    memory: int | None = None
    processes: int | None = None
    disk: int | None = None
    threads: int = 1


class Spending(Record):
    """What the search could spend when the protocol was locked; it may grow and is no part of the digest."""

    trials: int | None = None
    seconds: float | None = None
    usd: float | None = None


class SignOff(Record):
    """A person's word on the protocol, written into the file by hand; no part of the digest."""

    who: str
    when: str = ""
    note: str = ""


class Protocol(Record):
    """One task's protocol. File protocol.toml."""

    version: int = 2
    baseline: str
    """Host-side commit that is measured as the baseline."""
    metrics: tuple[MetricSpec, ...]
    """Primary first, with directions, margins, floors and ceilings."""
    aggregation: str = "mean over seeds, paired by seed"
    commands: Commands
    protected: Mapping[str, str] = {}
    """Protected file → sha256."""
    symbols: Mapping[str, Mapping[str, str]] = {}
    """Mixed file → protected symbol → sha256 of its normalized form; "absent" where the file has none of that name."""
    values: Mapping[str, Mapping[str, str]] = {}
    """Mixed file → protected symbol → its text, where it is short: defaults, split arguments, generating parameters."""
    packages: Mapping[str, str] = {}
    """Installed distribution → version: what the evaluation can import."""
    data: Mapping[str, str] = {}
    """Data outside the repository's history → sha256."""
    constraints: tuple[Constraint, ...] = ()
    seeds: Seeding
    limits: Bounds
    sandbox: str
    isolated: bool
    environment: str
    """Digest of the recipe."""
    sealed_rows: str | None = None
    """sha256 over the files that replace others at confirmation."""
    withhold: float | None = None
    withheld: str | None = None
    """sha256 of the key that chooses the withheld rows."""
    budget: Spending = Spending()
    sign_off: SignOff | None = None

    def digest(self) -> str:
        """sha256 of the canonical form: JSON with sorted keys, without absent values, the search's budget and the sign-off."""
        content = self.model_dump(mode="json", exclude_none=True, exclude={"budget", "sign_off"})
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def to_toml(self) -> str:
        """The file's text. `from_toml` of it has the same digest."""
        import tomlkit

        data = self.model_dump(mode="json", exclude_none=True)
        tables = {key: value for key, value in data.items() if isinstance(value, (dict, list)) and value}
        plain = {key: value for key, value in data.items() if key not in tables}
        return f"{_HEAD}# sha256 {self.digest()}\n\n{tomlkit.dumps(plain)}\n{tomlkit.dumps(tables)}"

    @staticmethod
    def from_toml(text: str, where: str = FILE_NAME) -> Protocol:
        """Read a protocol back. Raises UsageError where it is no protocol."""
        try:
            return Protocol.model_validate(tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            raise UsageError(f"{where}: not valid TOML: {error}", "restore the file, or start a new run") from None
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(str(part) for part in first["loc"])
            raise UsageError(f"{where}: `{key}`: {first['msg']}", "restore the file, or start a new run") from None

    @staticmethod
    def lock(
        environment: Environment,
        rubric: Rubric,
        tree: Mapping[str, bytes],
        *,
        limits: Limits,
        sandbox: str,
        isolated: bool,
        noise: int,
        search: int,
        looks: Sequence[int] = statistics.LOOKS,
        data: Mapping[str, str] | None = None,
        constraints: Sequence[Constraint] = (),
        secret: str = "",
        withheld: str = "",
        budget: Spending | None = None,
    ) -> Protocol:
        """Fix the protocol of an environment. `tree`: the baseline's files; `data`: path → sha256 of what git does not hold."""
        zones = environment.zones
        files = {path: hashlib.sha256(tree[path]).hexdigest() for path in zones.protected if path in tree}
        symbols = {
            path: {name: form_digest(path, tree.get(path), name) for name in names} for path, names in zones.symbols.items()
        }
        texts = {path: _texts(path, tree.get(path), names) for path, names in zones.symbols.items()}
        commands = environment.commands
        plan = Seeding(
            noise=noise, search=search, looks=tuple(looks), levels=statistics.LEVELS[: len(looks)], secret=secret,
        )  # fmt: skip
        bounds = Bounds(
            seconds=limits.seconds, cpu_seconds=limits.cpu_seconds, memory=limits.memory, processes=limits.processes,
            disk=limits.disk, threads=environment.threads,
        )  # fmt: skip
        fixed = tuple(dict.fromkeys((*rubric.constraints, *constraints)))
        return Protocol(
            baseline=environment.commit, metrics=rubric.metrics, commands=commands, protected=files, symbols=symbols,
            values={path: found for path, found in texts.items() if found},
            packages={package.name: package.version for package in environment.recipe.packages},
            data=dict(data or {}), constraints=fixed, seeds=plan, limits=bounds,
            sandbox=sandbox, isolated=isolated, environment=environment.recipe.digest, sealed_rows=_sealed(environment.sealed),
            withhold=commands.withhold, withheld=withheld if commands.withhold is not None else None,
            budget=budget or Spending(),
        )  # fmt: skip

    @staticmethod
    def load(path: Path) -> Protocol:
        """Read the lock of a run. Raises UsageError where it is missing or broken."""
        try:
            return Protocol.from_toml(path.read_text(encoding="utf-8"), str(path))
        except FileNotFoundError:
            raise UsageError(f"no protocol lock at {path}", "give the directory of a run") from None


def form_digest(path: str, content: bytes | None, symbol: str) -> str:
    """sha256 of a protected symbol's normalized form in a file, or "absent"."""
    module = syntax.module(path, content)
    form = syntax.form(module, symbol) if module is not None else syntax.setting(path, content, symbol)
    return hashlib.sha256(form.encode()).hexdigest() if form is not None else "absent"


def _texts(path: str, content: bytes | None, names: Sequence[str]) -> dict[str, str]:
    """The protected symbols of a file that are short enough to read, as source text."""
    module, found = syntax.module(path, content), {}
    for name in names:
        form = syntax.form(module, name) if module is not None else syntax.setting(path, content, name)
        text = syntax.unparsed(form) if module is not None and form is not None else form
        if text is not None and len(text) <= _READABLE and "\n" not in text:
            found[name] = text
    return found


def _sealed(files: Mapping[str, str]) -> str | None:
    """sha256 over the sealed files' names and contents."""
    if not files:
        return None
    whole = hashlib.sha256()
    for name, content in sorted(sealing.contents(files).items()):
        whole.update(f"{name} {hashlib.sha256(content).hexdigest()}\n".encode())
    return whole.hexdigest()
