"""S14: anything fetched: network calls, downloads, and pretrained weights that the baseline does not use."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Literal

from autosota import syntax
from autosota.records import Violation
from autosota.redlines.difference import Difference, File
from autosota.syntax import Module

_CALLS = (
    "requests.", "urllib.request.", "urllib3.", "httpx.", "aiohttp.", "socket.", "http.client.", "ftplib.", "wget.", "gdown.",
    "huggingface_hub.", "kagglehub.", "kaggle.", "boto3.", "paramiko.", "openai.", "anthropic.", "xmlrpc.", "telnetlib.",
    "smtplib.",
    "torch.hub.", "tensorflow_hub.", "openml.", "sklearn.datasets.fetch_", "datasets.load_dataset", "tensorflow_datasets.",
    "nltk.download", "gensim.downloader.", "pooch.", "litellm.", "google.generativeai.", "modelscope.",
)  # fmt: skip
_SHELL = re.compile(r"\b(curl|wget|pip3? install|conda install|git clone|aws s3|gsutil|scp|rsync|nc|uv pip|apt(-get)? install)\b")
_FIX = "use what the repository and its declared data already hold; the evaluation has no network"
_WEIGHTS = ("pretrained", "weights")


def used(difference: Difference) -> Iterator[Violation]:
    """New network calls, download switches and pretrained identifiers."""
    for file in difference.files:
        if file.new is not None:
            yield from _python(file, difference)
        elif file.path.endswith((".sh", ".bash", "Makefile", ".mk")):
            for line, text in file.added.items():
                if _SHELL.search(text):
                    yield _violation(file, line, "network-used", text.strip())


def _violation(file: File, line: int, rule: str, evidence: str, review: bool = False) -> Violation:
    action: Literal["reject", "review"] = "review" if review else "reject"
    return Violation(red_line="R5", rule=rule, action=action, evidence=evidence[:200], file=file.path, line=line, fix=_FIX)


def _python(file: File, difference: Difference) -> Iterator[Violation]:
    assert file.new is not None
    for node in ast.walk(file.new.tree):
        if isinstance(node, ast.Call) and node.lineno in file.added and file.new.marks[id(node)] not in difference.old_marks:
            yield from _call(file, file.new, node, difference)


def _call(file: File, module: Module, call: ast.Call, difference: Difference) -> Iterator[Violation]:
    callee = module.callee(call)
    if callee.startswith(_CALLS) and callee.split(".")[0] in {value.split(".")[0] for value in module.imports.values()}:
        yield _violation(file, call.lineno, "network-used", f"calls {callee}")
        return
    text = " ".join(str(node.value) for node in ast.walk(call) if isinstance(node, ast.Constant) and isinstance(node.value, str))
    if callee.startswith(("subprocess.", "os.system", "os.popen", "os.exec", "os.spawn")) and _SHELL.search(text):
        yield _violation(file, call.lineno, "network-used", f"runs {text}")
    for keyword in call.keywords:
        value = keyword.value.value if isinstance(keyword.value, ast.Constant) else None
        if keyword.arg == "download" and value is True:
            yield _violation(file, call.lineno, "network-used", f"{callee}(download=True)")
        if keyword.arg in _WEIGHTS and (value is True or (isinstance(value, str) and value.lower() not in ("none", ""))):
            library = callee.split(".")[0] in ("torchvision", "timm", "keras", "tensorflow")
            if keyword.arg == "pretrained" or library:
                yield _violation(file, call.lineno, "pretrained-new", f"{callee}({keyword.arg}={value!r})")
    if callee.endswith((".from_pretrained", "SentenceTransformer", "snapshot_download", "hf_hub_download")):
        identifier = call.args[0].value if call.args and isinstance(call.args[0], ast.Constant) else None
        if identifier is None:
            yield _violation(file, call.lineno, "pretrained-new", f"{callee} with a name made at run time", review=True)
        elif str(identifier) not in _literals(difference):
            yield _violation(file, call.lineno, "pretrained-new", f"{callee}({identifier!r}) is not in the baseline")


def _literals(difference: Difference) -> str:
    """All baseline text in which an identifier of weights may stand."""
    texts = (
        syntax.text(data)
        for path, data in difference.case.tree.items()
        if path.endswith((".py", ".yaml", ".yml", ".json", ".toml"))
    )
    return "\n".join(text for text in texts if text)
