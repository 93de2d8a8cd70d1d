"""Papers in Markdown, LaTeX and HTML, and papers behind an address."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from autosota import paper
from autosota.errors import UsageError
from autosota.records import Link, Paper
from tests.paper.pdf_writer import Page, write

MARKDOWN = """\
# FOO: wines told apart

*Ada Lovelace* · [code](https://github.com/lab/foo) · [project](https://lab.example.org/foo_(wine))

## Abstract

FOO reaches 93.1 % accuracy
on wines.

## 1. Introduction

Earlier work[^1] used `https://github.com/in/code` and ![a picture](picture.png).
See <https://zenodo.org/record/5> too.

```
# not a heading
| not | a table |
|---|---|
```

[^1]: Trees, https://github.com/trees/trees.

Results
-------

**Table 1.** Results, mean ± std.

| Method | Accuracy ↑ | Loss ↓ |
|:-------|-----------:|-------:|
| Trees  | 88.2 ± 0.4 | 0.41 |
| a \\| b | 1 | 2 |
| **FOO (ours)** | **93.1 ± 0.2** | __0.29__ |

## References

[1] https://example.org/paper
"""
LATEX = r"""
\documentclass{article} % a comment \title{no}
\title{FOO: wines told \emph{apart}\thanks{Supported by nobody}}
\begin{document}\maketitle
\begin{abstract}FOO reaches 93.1\,\% accuracy~\cite{x}. Code: \url{https://github.com/lab/foo\_net}.\end{abstract}
\section{Introduction}
We use trees\footnote{See \href{https://github.com/trees/trees}{their code}.} and more. \input{results}
\section*{Discussion} Done.
\begin{thebibliography}{1}\bibitem{x} \url{https://example.org/x}\end{thebibliography}
\end{document}
"""
RESULTS = r"""
\begin{table}[t]\centering
\caption{Results on \textbf{wines}.}
\begin{tabular}{l|cc@{}r}
\toprule
& \multicolumn{2}{c}{Wines} & \\ \cmidrule(lr){2-3}
Method & Acc. $\uparrow$ & Loss $\downarrow$ & Time \\ \midrule
\multirow{2}{*}{Trees} & $88.2 \pm 0.4$ & 0.41 & 1 \\
 & 89.0 & 0.40 & 2 \\
\textbf{FOO} (ours) & \textbf{93.1} $\pm$ 0.2 & {\bf 0.29} & 3 \\ \bottomrule
\end{tabular}\end{table}
"""
HTML = """<!DOCTYPE html><html><head><title>Page | site</title><style>h1 {}</style><script>var x = "<h1>no</h1>";</script></head>
<body><h1>FOO: wines told apart</h1><p><a href="https://github.com/lab/foo">Code</a></p>
<h2>Abstract</h2><p>FOO reaches 93.1&nbsp;% accuracy.</p>
<h2>2 Results</h2><p>Better. See https://zenodo.org/record/5.</p>
<table><caption>Table 1: Results</caption>
<tr><th rowspan="2">Method</th><th colspan="2">Wines</th></tr><tr><th>Accuracy</th><th>Loss</th></tr>
<tr><td>Trees</td><td>88.2 &plusmn; 0.4</td><td>0.41</td></tr>
<tr><td>FOO (ours)</td><td><b>93.1</b></td><td>0.29</td></tr></table>
<h2>References</h2><p><a href="https://example.org/x">x</a></p></body></html>"""


def read(folder: Path, name: str, text: str) -> Paper:
    (folder / name).write_text(text, encoding="utf-8")
    return paper.read(str(folder / name), cache=folder)


def places(read: Paper) -> dict[str, str]:
    return {link.url: link.where for link in read.links}


def test_markdown(tmp_path: Path) -> None:
    found = read(tmp_path, "paper.md", MARKDOWN)
    assert found.title == "FOO: wines told apart"
    assert found.abstract == "FOO reaches 93.1 % accuracy on wines."
    assert [section.title for section in found.sections] == ["Abstract", "Introduction", "Results", "References"]
    (table,) = found.tables
    assert table.caption == "Table 1. Results, mean ± std." and table.header == ("Method", "Accuracy ↑", "Loss ↓")
    assert table.rows[2] == ("**FOO (ours)**", "**93.1 ± 0.2**", "**0.29**") and table.rows[1][0] == "a | b"
    assert places(found) == {
        "https://github.com/lab/foo": "front",
        "https://lab.example.org/foo_(wine)": "front",
        "https://github.com/in/code": "body",
        "https://zenodo.org/record/5": "body",
        "https://github.com/trees/trees": "footnote",
        "https://example.org/paper": "references",
    }


def test_markdown_with_a_yaml_head_and_an_abstract_in_the_text(tmp_path: Path) -> None:
    text = "---\ntitle: 'FOO in YAML'\n---\n\n**Abstract.** We present [FOO](https://github.com/lab/foo).\n\nMore.\n"
    found = read(tmp_path, "paper.md", text)
    assert found.title == "FOO in YAML" and found.abstract == "We present FOO."
    assert found.links == (Link(url="https://github.com/lab/foo", where="front", text="FOO"),)


def test_latex_with_an_included_file(tmp_path: Path) -> None:
    (tmp_path / "results.tex").write_text(RESULTS)
    found = read(tmp_path, "paper.tex", LATEX)
    assert found.title == "FOO: wines told apart"
    assert found.abstract.startswith("FOO reaches 93.1 % accuracy") and found.abstract.endswith("foo_net.")
    assert [section.title for section in found.sections] == ["Introduction", "Discussion"]
    (table,) = found.tables
    assert table.caption == "Results on **wines**."
    assert table.header == ("Method", "Wines Acc. ↑", "Wines Loss ↓", "Time")
    assert table.rows == (
        ("Trees", "88.2 ± 0.4", "0.41", "1"),
        ("Trees", "89.0", "0.40", "2"),
        ("**FOO** (ours)", "**93.1** ± 0.2", "**0.29**", "3"),
    )
    assert places(found) == {
        "https://github.com/lab/foo_net": "front",
        "https://github.com/trees/trees": "footnote",
        "https://example.org/x": "references",
    }


def test_latex_includes_nothing_from_outside_its_folder(tmp_path: Path) -> None:
    (tmp_path / "secret.tex").write_text(r"\section{Secret}")
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "link.tex").symlink_to(tmp_path / "secret.tex")
    (inner / "loop.tex").write_text(r"\input{loop} again")
    text = LATEX.replace(r"\input{results}", rf"\input{{../secret}}\input{{{tmp_path}/secret}}\input{{link}}\input{{loop}}")
    found = read(inner, "paper.tex", text)
    assert [section.title for section in found.sections] == ["Introduction", "Discussion"]


def test_html(tmp_path: Path) -> None:
    found = read(tmp_path, "paper.html", HTML)
    assert found.title == "FOO: wines told apart" and found.abstract == "FOO reaches 93.1 % accuracy."
    (table,) = found.tables
    assert table.header == ("Method", "Wines Accuracy", "Wines Loss")
    assert table.rows == (("Trees", "88.2 ± 0.4", "0.41"), ("FOO (ours)", "**93.1**", "0.29"))
    assert places(found) == {
        "https://github.com/lab/foo": "front",
        "https://zenodo.org/record/5": "body",
        "https://example.org/x": "references",
    }


@pytest.mark.parametrize(
    "text",
    [
        "|" * 50_000,
        "#" * 50_000,
        "[" * 50_000,
        "<a href=" * 20_000,
        "{" * 50_000,
        "\\" * 50_000,
        "$" * 50_000 + "\x01",
        "- \n" * 30_000,
    ],
)
@pytest.mark.parametrize("name", ["paper.md", "paper.tex", "paper.html"])
def test_nonsense_is_a_paper_without_anything(tmp_path: Path, name: str, text: str) -> None:
    found = read(tmp_path, name, text + "\n" + text)
    assert found.tables == () and len(found.title) <= 300 and "no abstract found" in found.notes


# ── addresses ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class _Handler(http.server.BaseHTTPRequestHandler):
    asked: list[str] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        body = {"/foo": write([Page().text(60, 700, "A paper behind an address", 18).lines(60, 600, "word " * 50)])}.get(
            self.path, b""
        )
        body = HTML.encode() if self.path == "/page" else body
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/foo")
            self.end_headers()
            return
        self.send_response(200 if body else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8" if self.path == "/page" else "application/octet-stream")
        self.send_header("Content-Length", str(len(body) + 1000 * (self.path == "/cut")))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as serving:
        thread = threading.Thread(target=serving.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{serving.server_port}"
        serving.shutdown()


def test_a_paper_is_downloaded_once(server: str, tmp_path: Path) -> None:
    _Handler.asked.clear()
    for _ in range(2):
        assert paper.read(f"{server}/moved", cache=tmp_path).title == "A paper behind an address"
    assert _Handler.asked == ["/moved", "/foo"]
    assert paper.read(f"{server}/page", cache=tmp_path).title == "FOO: wines told apart"


def test_what_cannot_be_downloaded_names_the_way_out(server: str, tmp_path: Path) -> None:
    for source in (f"{server}/absent", "http://127.0.0.1:9/paper.pdf", "2301.01234", "https://example.invalid/x.pdf"):
        with pytest.raises(UsageError) as failure:
            paper.read(source, cache=tmp_path)
        assert "download the paper yourself" in failure.value.hint
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
