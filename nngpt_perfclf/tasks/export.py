"""The verb `pairs`: counts of the pairs, and the pairs as a file."""

from pathlib import Path

import orjson  # pandas' own writer rounds a small learning rate to 15 places
import pandas as pd

from nngpt_perfclf.config import Config
from nngpt_perfclf.files import whole
from nngpt_perfclf.tasks.data import TaskData
from nngpt_perfclf.tasks.splits import PARTS
from nngpt_perfclf.types import PerfclfError

ENDINGS = (".jsonl", ".parquet")


def export(config: Config, out: str | None = None) -> dict:
    """Make the configured pairs, write them to `out` or `config.out` if given, and return their counts by part.

    The file is written atomically. Raises PerfclfError for an ending other than .jsonl and .parquet.
    """
    out = out or config.out
    file = Path(out) if out else None
    if file is not None and file.suffix not in ENDINGS:
        raise PerfclfError(f"pairs are written to {' or '.join(ENDINGS)} files, not to {file.name}")
    pairs = TaskData.load(config).pairs()
    if file is not None:
        write_pairs(pairs, file)
    return {
        "task": config.task, "epoch": config.epoch, "label": config.label, "trial": config.trial,
        "split": config.split.by, **_counts(pairs), "out": str(file) if file else None,
        "parts": [{"part": part, **_counts(pairs[pairs["part"] == part])} for part in PARTS],
    }


def write_pairs(pairs: pd.DataFrame, file: Path) -> None:
    """Write the pairs as JSON lines (missing values null) or Parquet, by the file's ending."""
    with whole(file) as new:
        if file.suffix == ".jsonl":
            _write_lines(pairs, new)
        else:
            pairs.to_parquet(new, index=False)


def _write_lines(pairs: pd.DataFrame, file: Path) -> None:
    with file.open("wb") as stream:
        for row in pairs.itertuples(index=False):
            stream.write(orjson.dumps(row._asdict(), option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_NUMPY))


def _counts(pairs: pd.DataFrame) -> dict[str, int]:
    return {"pairs": len(pairs), "networks": int(pairs["nn"].nunique()), "groups": int(pairs["group"].nunique()),
            "ties": int(pairs["tie"].sum())}
