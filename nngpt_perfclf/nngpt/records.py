"""The record of each pruned generation: a JSON file that also receives what the trained candidates reached."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path

from nngpt_perfclf.evaluation.nngpt_results import digest_of
from nngpt_perfclf.evaluation.pruning import KIND, with_outcomes
from nngpt_perfclf.files import read_json, write_json
from nngpt_perfclf.nngpt.folders import Epoch, Found
from nngpt_perfclf.nngpt.observed import remembered


def write_record(folder: Path, epoch: Epoch, adviser: str, keep: float | None, result: dict, found: Sequence[Found],
                 epochs: int) -> Path:
    """Write what was decided about one generation as a new file in `folder`; its path. found: what was read of the
    candidates, in the order of the result's; epochs: for how long they will be trained."""
    from nngpt_perfclf import __version__

    places = {path.name: path for path in epoch.folders()}
    rows = [{**row, "code": digest_of(places[row["candidate"]]), **remembered(entry.candidate, epochs)}
            for row, entry in zip(result["candidates"], found, strict=True)]
    stamp = f"{epoch.folder.name}-{time.strftime('%Y%m%d-%H%M%S')}"
    names = (f"{stamp}{'' if number == 0 else f'-{number}'}.json" for number in count())
    path = next(folder / name for name in names if not (folder / name).exists())
    write_json(path, {"kind": KIND, "version": __version__, "adviser": adviser, "keep": keep, "time": time.time(),
                      "synth": str(epoch.synth), "pruned_folder": str(epoch.pruned), **result, "candidates": rows})
    return path


def add_outcomes(path: Path, seconds: float) -> None:
    """Add to a record what the candidates' folders hold after an evaluation of so many seconds."""
    write_json(path, {**with_outcomes(read_json(path)), "evaluation_seconds": round(seconds, 1)})
