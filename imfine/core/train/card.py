"""The README of a trained model, made from its facts. Plain Python: knows words, no weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from imfine.core.models.local import Local

METHODS = {"full": "all weights", "lora": "LoRA", "dora": "DoRA"}


def card_of(name: str, parent: Local, facts: Mapping[str, Any]) -> str:
    """Markdown with the front matter that the Hub reads. Licence and languages are the parent's."""
    plan, numbers = facts["plan"], facts["numbers"]
    head: dict[str, Any] = {
        "base_model": facts["parent"]["id"],
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["imfine"],
    }
    if licence := parent.facts.get("licence"):
        head["license"] = licence
    if languages := parent.facts.get("languages"):
        head["language"] = languages
    front = "\n".join(f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in head.items())
    layers = "all layers" if plan["layers"] is None else f"layers {', '.join(map(str, plan['layers']))}"
    method = METHODS[plan["method"]] + ("" if plan["method"] == "full" else f" of rank {plan['rank']}")
    rows = [
        ("parent", f"{facts['parent']['id']} (sha256 {facts['parent']['checksum'][:12]}…)"),
        ("trained", f"{' and '.join(part.upper() for part in plan['parts'])}, {layers}, {method}"),
        ("parameters", f"{numbers['parameters']:,} in {numbers['tensors']} tensors"),
        ("data", f"{facts['data']['rows']:,} rows, {facts['data']['hash'][:12]}…, of which "
                 f"{facts['data']['held_out']:,} were held out"),
        ("steps", f"{numbers['best_step']:,}, {numbers['tokens']:,} tokens read"),
        ("learning rate", f"{facts['learning_rate']:g}, {plan['schedule']}"),
    ]  # fmt: skip
    before, after = numbers["perplexity_before"], numbers["perplexity_after"]
    if before is not None and after is not None:
        rows.append(("perplexity on the held-out rows", f"{before:.2f} before, {after:.2f} after"))
    table = "\n".join(f"| {what} | {value} |" for what, value in rows)
    return (
        f"---\n{front}\n---\n\n# {name}\n\nFine-tuned with I'm Fine. Perplexity on held-out rows says how"
        " well the model expects text like its data, not how good its answers are.\n\n"
        f"| | |\n|---|---|\n{table}\n\n"
        "`imfine-train.json` holds the whole plan, `curves.jsonl` every step.\n"
    )
