"""A parameter that is taken and dropped is passed on."""

import pytest

DROPPED = """
class Block:
    def __init__(self, size, dropout=0.0):
        self.size, self.dropout = size, dropout


class Model:
    def __init__(self, size, depth, dropout=0.3):
        self.blocks = [Block(size) for _ in range(depth)]


print(Model(4, 2, dropout=0.5).blocks[0].dropout)
"""


def test_passes_it_on(bench, run):
    text = bench("unpassed_argument").change(DROPPED)
    assert "Block(size, dropout=dropout) for _" in text
    assert run(DROPPED).strip() == "0.0"
    assert run(text).strip() == "0.5"


def test_known_library_callables_and_kept_but_unread_attributes(bench):
    text = bench("unpassed_argument").change(
        """
        from torch import nn

        class Net(nn.Module):
            def __init__(self, width, dropout):
                super().__init__()
                self.dropout = dropout
                self.layer = nn.TransformerEncoderLayer(width, 4)
        """
    )
    assert "nn.TransformerEncoderLayer(width, 4, dropout=dropout)" in text


@pytest.mark.parametrize(
    "model",
    [
        "        self.blocks = [Block(size, dropout) for _ in range(depth)]",
        "        self.blocks = [Block(size, 0.1) for _ in range(depth)]",
        "        self.blocks = [Block(size, **options) for _ in range(depth)]",
        "        self.blocks = [Block(size) for _ in range(depth)]\n        self.drop = Dropout(dropout)",
        "        self.rate = dropout\n        self.blocks = [Block(size)]\n    def use(self):\n        return self.rate",
        "        self.blocks = [Other(size) for _ in range(depth)]",
        "        keep(**locals())\n        self.blocks = [Block(size)]",
        "        raise NotImplementedError",
    ],
)
def test_leaves_alone_what_is_used_or_cannot_be_passed(bench, model):
    block = "class Block:\n    def __init__(self, size, dropout=0.0):\n        pass\n\n"
    text = f"{block}class Model:\n    def __init__(self, size, depth, dropout=0.3):\n{model}\n"
    assert not bench("unpassed_argument").sites(text)
