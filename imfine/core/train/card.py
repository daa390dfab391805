"""The README of a trained model, made from its facts. Plain Python: knows words, no weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from imfine.core.models.local import Local

METHODS = {"full": "all weights", "lora": "LoRA", "dora": "DoRA", "qlora": "QLoRA"}


def card_of(name: str, parent: Local, facts: Mapping[str, Any]) -> str:
    """Markdown with the front matter that the Hub reads. Licence and languages are the parent's."""
    plan, numbers = facts["plan"], facts["numbers"]
    draws = parent.layout.kind == "image"
    head: dict[str, Any] = {
        "base_model": facts["parent"]["id"],
        "library_name": "diffusers" if draws else "transformers",
        "pipeline_tag": "text-to-image" if draws else "text-generation",
        "tags": ["imfine"],
    }
    if image := parent.facts.get("image"):
        names = {"steps": "num_inference_steps", "guidance": "guidance_scale"}
        head["inference"] = {"parameters": {names[key]: value for key, value in image.items()}}
    if licence := parent.facts.get("licence"):
        head["license"] = licence
    if languages := parent.facts.get("languages"):
        head["language"] = languages
    front = "\n".join(f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in head.items())
    what, some = ("blocks of the UNet", plan["blocks"]) if draws else ("layers", plan["layers"])
    layers = f"all {what}" if some is None else f"{what.split()[0]} {', '.join(map(str, some))}"
    method = METHODS[plan["method"]] + ("" if plan["method"] == "full" else f" of rank {plan['rank']}")
    rows = [
        ("parent", f"{facts['parent']['id']} (sha256 {facts['parent']['checksum'][:12]}…)"),
        ("trained", f"{' and '.join(part.upper() for part in plan['parts'])}, {layers}, {method}"),
        ("parameters", f"{numbers['parameters']:,} in {numbers['tensors']} tensors"),
        ("data", f"{facts['data']['rows']:,} rows, {facts['data']['hash'][:12]}…, of which "
                 f"{facts['data']['held_out']:,} were held out"),
        ("steps", f"{numbers['best_step']:,}, {numbers['tokens']:,} "
                  f"{'pictures' if draws else 'tokens'} read"),
        ("learning rate", f"{facts['learning_rate']:g}, {plan['schedule']}"),
    ]  # fmt: skip
    before, after = numbers["perplexity_before"], numbers["perplexity_after"]
    if before is not None and after is not None:
        rows.append(("perplexity on the held-out rows", f"{before:.2f} before, {after:.2f} after"))
    elif draws and numbers["loss_before"] is not None and numbers["loss_after"] is not None:
        loss = f"{numbers['loss_before']:.4f} before, {numbers['loss_after']:.4f} after"
        rows.append(("squared error on the held-out pictures", loss))
    meaning = (
        "The error on held-out pictures says how well noise is told from pictures like its data, not how good"
        " its pictures are."
        if draws
        else "Perplexity on held-out rows says how"
        " well the model expects text like its data, not how good its answers are."
    )
    table = "\n".join(f"| {what} | {value} |" for what, value in rows)
    return (
        f"---\n{front}\n---\n\n# {name}\n\nFine-tuned with I'm Fine. {meaning}\n\n"
        f"| | |\n|---|---|\n{table}\n\n"
        "`imfine-train.json` holds the whole plan, `curves.jsonl` every step.\n"
    )
