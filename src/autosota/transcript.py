"""`autosota show RUN --prompts`: what models were asked, what they replied, what it cost. Pure reading of a run directory."""

from __future__ import annotations

from typing import Any

from autosota.ask import exchanges, usage
from autosota.formats import block, clip, duration
from autosota.store import Store

_SHOWN = 40_000
"""Characters of one prompt or reply on the terminal."""


def prompts_json(store: Store, experiment: int | None = None) -> dict[str, Any]:
    """Every exchange with its line of the ledger; of one experiment where its number is given."""
    lines = {line.call: line for line in usage.read(store)}
    found = [
        {**exchange, "usage": lines[exchange["call"]].model_dump(mode="json") if exchange["call"] in lines else None}
        for exchange in exchanges.read(store, experiment)
    ]
    of = [line for line in lines.values() if experiment is None or line.experiment == experiment]
    agents = {agent: usage.total(group).model_dump(mode="json") for agent, group in usage.by(of, lambda line: line.agent).items()}
    return {"exchanges": found, "cost": usage.total(of).model_dump(mode="json"), "agents": agents}


def prompts_text(store: Store, experiment: int | None = None) -> str:
    """The same for people: one exchange after another, foreign text freed of control characters."""
    lines = {line.call: line for line in usage.read(store)}
    parts = []
    for exchange in exchanges.read(store, experiment):
        line = lines.get(exchange["call"])
        where = f", experiment {exchange['experiment']}" if exchange.get("experiment") is not None else ""
        head = f"── {exchange['call']}: {clip(exchange.get('purpose'), 60)}{where}, {clip(exchange.get('model'), 80)}"
        parts.append(f"{head}\n\n{block(exchange['prompt'], _SHOWN)}")
        told = (
            f"{line.outcome}, {line.input_tokens:,} tokens in, {line.output_tokens:,} out, {duration(line.seconds)}"
            if line
            else ""
        )
        reason = f": {clip(line.why, 300)}" if line and line.why else ""
        parts.append(
            f"── reply to {exchange['call']}: {told or 'none'}{reason}\n\n{block(exchange.get('reply', ''), _SHOWN)}".rstrip()
        )
    if not parts:
        return "no model was asked" + ("" if experiment is None else f" for experiment {experiment}")
    of = [line for line in lines.values() if experiment is None or line.experiment == experiment]
    return "\n\n".join([*parts, f"models: {usage.text(of)}"])
