"""What there is to tell of pictures beside the resolution they are learned at. Knows no pixel, no model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from imfine.core.data.dataset import Dataset
from imfine.core.data.findings import Finding, Notes, Place
from imfine.core.data.rows import Picture


@dataclass(frozen=True)
class PictureCount:
    """`captioned` of the `rows` have a caption. `pixels`: the side to which each is cut."""

    rows: int
    captioned: int
    pixels: int
    findings: list[Finding]

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "findings": [finding.to_json() for finding in self.findings]}


def count(dataset: Dataset, pixels: int) -> PictureCount:
    """Of all pictures; a finding names them by their places in the data set, from 1."""
    notes, captioned = Notes(), 0
    for i in range(dataset.rows):
        row = dataset.row(i)
        assert isinstance(row, Picture), "a data set of pictures"
        captioned += bool(row.caption)
        if min(row.width, row.height) < pixels:
            notes.note("too_small", Place(i + 1))
    small = notes.finding("too_small", pixels=pixels, rows=dataset.rows)
    return PictureCount(dataset.rows, captioned, pixels, [small] if small else [])
