"""PDF papers: title, abstract, sections, tables, links with their place, and PDFs that cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from autosota import paper
from autosota.errors import UsageError
from autosota.records import Link, Paper
from tests.paper.pdf_writer import Page, write

ABSTRACT = """We present FOO, a method for classification of wines that beats
every earlier one. On the wine data FOO reaches an accuracy of 93.1
per cent. Our code is available at https://github.com/lab/foo-
net under a free licence."""
BODY = """Wines are hard to tell apart. Earlier work [1] used trees, and more recent
work [2] has used boosting. We combine both and show that the combi-
nation is better than either. The data come from elsewhere."""


def first_page() -> Page:
    page = Page()
    page.text(60, 740, "FOO: Telling Wines Apart by", 18, bold=True).text(60, 718, "Boosted Combination", 18, bold=True)
    page.text(60, 690, "Ada Lovelace and Charles Babbage", 11)
    page.text(60, 660, "Abstract", 12, bold=True).lines(60, 644, ABSTRACT)
    page.text(60, 570, "1 Introduction", 13, bold=True).lines(60, 552, BODY)
    page.text(60, 480, "The library we use is here.", 10).link(60, 480, 120, "https://github.com/pytorch/pytorch")
    page.text(60, 60, "1 Data: https://zenodo.org/record/12345", 7)
    return page


def results_page() -> Page:
    page = Page()
    page.text(60, 740, "4 Results", 13, bold=True)
    page.text(60, 700, "Table 1: Results on the wine data, mean and standard deviation over five seeds.", 9)
    page.row(
        680, [(60, "Method"), (200, "Accuracy (%) \u2191".replace("\u2191", "")), (320, "Log loss"), (430, "Time (s)")], bold=True
    )
    page.row(666, [(60, "Trees [1]"), (200, "88.2 ± 0.4"), (320, "0.41 ± 0.02"), (430, "1.2")])
    page.row(652, [(60, "Boosting [2]"), (200, "91.0 ± 0.3"), (320, "*0.27 ± 0.01"), (430, "*0.9")])
    page.row(638, [(60, "FOO (ours)"), (200, "*93.1 ± 0.2"), (320, "0.29 ± 0.01"), (430, "3.4")])
    page.lines(
        60, 600, "Table 1 shows that FOO is better than all others, at a cost in time that is small\nbeside what it gains."
    )
    page.row(560, [(200, "Small"), (260, "Small"), (320, "Large"), (380, "Large")])
    page.row(546, [(60, "Model"), (200, "F1"), (260, "AUC"), (320, "F1"), (380, "AUC")])
    page.row(532, [(60, "Trees"), (200, "0.81"), (260, "0.90"), (320, "0.83"), (380, "0.91")])
    page.row(518, [(60, "FOO"), (200, "0.91"), (260, "0.95"), (320, "0.92"), (380, "0.96")])
    page.text(60, 500, "Table 2. Sizes of training data; the caption stands below.", 9)
    page.text(60, 460, "References", 13, bold=True)
    page.lines(60, 440, "[1] Trees. https://github.com/trees/trees\n[2] Boosting, 2001.")
    return page


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Paper:
    path = tmp_path_factory.mktemp("paper") / "foo.pdf"
    path.write_bytes(write([first_page(), results_page()], title="untitled"))
    return paper.read(str(path), cache=path.parent)


def link(read: Paper, part: str) -> Link:
    (found,) = [link for link in read.links if part in link.url]
    return found


def test_title_and_abstract(read: Paper) -> None:
    assert read.title == "FOO: Telling Wines Apart by Boosted Combination"
    assert read.abstract.startswith("We present FOO, a method") and read.abstract.endswith("under a free licence.")
    assert read.pages == 2 and not read.notes


def test_sections_with_their_pages_and_cut_words_joined(read: Paper) -> None:
    assert [(section.title, section.page) for section in read.sections] == [
        ("Introduction", 1),
        ("Results", 2),
        ("References", 2),
    ]
    assert "the combination is better than either" in read.sections[0].text


def test_a_table_with_spreads_and_bold(read: Paper) -> None:
    table = read.tables[0]
    assert table.caption.startswith("Table 1: Results on the wine data") and table.page == 2
    assert [head.replace("*", "").strip() for head in table.header] == ["Method", "Accuracy (%)", "Log loss", "Time (s)"]
    assert table.rows == (
        ("Trees [1]", "88.2 ± 0.4", "0.41 ± 0.02", "1.2"),
        ("Boosting [2]", "91.0 ± 0.3", "**0.27 ± 0.01**", "**0.9**"),
        ("FOO (ours)", "**93.1 ± 0.2**", "0.29 ± 0.01", "3.4"),
    )


def test_a_table_above_its_caption_with_a_head_of_two_rows(read: Paper) -> None:
    table = read.tables[1]
    assert table.caption.startswith("Table 2. Sizes")
    assert table.header == ("Model", "Small F1", "Small AUC", "Large F1", "Large AUC")
    assert table.rows == (("Trees", "0.81", "0.90", "0.83", "0.91"), ("FOO", "0.91", "0.95", "0.92", "0.96"))


def test_links_know_where_they_stand(read: Paper) -> None:
    own = link(read, "lab/foo")
    assert own.url == "https://github.com/lab/foo-net" and own.where == "front" and own.page == 1
    assert link(read, "pytorch").where == "annotation" and "library" in link(read, "pytorch").text
    assert link(read, "zenodo").where == "footnote"
    assert link(read, "trees").where == "references" and link(read, "trees").page == 2


def test_two_columns_are_read_one_after_the_other(tmp_path: Path) -> None:
    page = Page().text(150, 740, "A Title over Both Columns", 17, bold=True)
    page.text(60, 700, "Abstract", 11, bold=True).lines(60, 684, "Left one is the abstract here.\nIt has two lines.")
    page.text(60, 640, "1 Introduction", 11, bold=True).lines(60, 624, "Left two begins the\nintroduction and goes on")
    page.lines(320, 700, "at the top of the right\ncolumn.")
    path = tmp_path / "two.pdf"
    path.write_bytes(write([page]))
    read = paper.read(str(path), cache=tmp_path)
    assert read.abstract == "Left one is the abstract here. It has two lines."
    assert "introduction and goes on at the top of the right column." in read.sections[0].text


def test_what_cannot_be_read_says_so(tmp_path: Path) -> None:
    cases: dict[str, tuple[bytes | None, str, str]] = {
        "locked.pdf": (write([first_page()], password="secret"), "encrypted", "qpdf"),
        "scan.pdf": (write([Page(), Page(), Page()]), "scan", "ocrmypdf"),
        "cut.pdf": (write([first_page()])[:300], "not a readable PDF", "Markdown"),
        "fake.pdf": (b"Hello, I am a text.", "no PDF", "Markdown"),
        "nothing.pdf": (b"", "empty", "PDF"),
        "binary.dat": (b"\x00\x01\x02" * 400, "binary", "PDF"),
        "absent.pdf": (None, "no paper at", "arXiv"),
    }
    for name, (content, message, hint) in cases.items():
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(UsageError) as failure:
            paper.read(str(tmp_path / name), cache=tmp_path)
        assert message in failure.value.message and name in failure.value.message, name
        assert hint in failure.value.hint, name
    with pytest.raises(UsageError, match="folder"):
        paper.read(str(tmp_path), cache=tmp_path)
    with pytest.raises(UsageError):
        paper.read("name\x00with\x00zeros", cache=tmp_path)


def test_a_long_pdf_is_read_in_part_and_says_so(tmp_path: Path) -> None:
    pages = [first_page(), *(Page().lines(60, 740, f"Page {number} of many.\nNothing else.") for number in range(499))]
    path = tmp_path / "long.pdf"
    path.write_bytes(write(pages))
    read = paper.read(str(path), cache=tmp_path)
    assert read.pages == 500 and "only the first 200 of 500 pages" in read.notes[0]


def test_tables_one_above_the_other_with_captions_below(tmp_path: Path) -> None:
    """What stands under a caption may be the next table: the other captions tell where this paper's rows are."""
    page = Page().text(60, 760, "Stacked Tables", 17, bold=True)
    for number, top in enumerate((700, 620), 1):
        page.row(top, [(60, "Model"), (200, f"Score {number}")])
        page.row(top - 12, [(60, "Trees"), (200, f"0.{number}1")])
        page.row(top - 24, [(60, "Ours"), (200, f"0.{number}2")])
        page.text(60, top - 44, f"Table {number}: Results of kind {number}.", 9)
    page.lines(60, 540, "The text goes on here, and it says a good many words that stand in no table at all.\nIt ends.")
    path = tmp_path / "stacked.pdf"
    path.write_bytes(write([page]))
    read = paper.read(str(path), cache=tmp_path)
    assert [(table.header, table.rows) for table in read.tables] == [
        (("Model", "Score 1"), (("Trees", "0.11"), ("Ours", "0.12"))),
        (("Model", "Score 2"), (("Trees", "0.21"), ("Ours", "0.22"))),
    ]
