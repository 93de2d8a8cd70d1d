"""The seeds of a run, drawn from its secret (validity 3.5): who does not know it can tell neither them nor their purposes."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass


@dataclass(frozen=True)
class Seeds:
    """Seeds of one run, drawn from its secret: disjoint by purpose, 31-bit, alike to look at (validity 3.5)."""

    secret: bytes

    def draw(self, purpose: str, count: int, label: str = "") -> tuple[int, ...]:
        """The first `count` seeds of a purpose. `label` binds them to what was frozen: the protocol and the attempt."""
        slot = {"noise": 0, "search": 1, "confirm": 2, "verify": 3}[purpose]
        found: list[int] = []
        index = 0
        while len(found) < count:
            block = hmac.new(self.secret, f"{purpose}|{label}|{index}".encode(), hashlib.sha256).digest()
            # The residue modulo 4 keeps the purposes apart without telling anybody who does not know the rule.
            seed = (int.from_bytes(block[:4], "big") & 0x7FFFFFFF) // 4 * 4 + slot
            if seed not in found:
                found.append(seed)
            index += 1
        return tuple(found)
