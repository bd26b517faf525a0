"""The Parquet cache: one folder for each state of a source, written atomically."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from nngpt_perfclf.checksums import seal
from nngpt_perfclf.config import home
from nngpt_perfclf.files import read_json, read_parquet, write_parquet

if TYPE_CHECKING:
    import pandas as pd

    from nngpt_perfclf.corpus.records import Reading
    from nngpt_perfclf.corpus.sources import Source

_FORMAT = 3  # increased when the tables change, so that older caches are not used


class Cache:
    """The tables of one source, which is read if its present state is not cached."""

    def __init__(self, source: Source):
        place = hashlib.blake2b(source.place.encode(), digest_size=6).hexdigest()
        self._source = source
        self._states = f"{place}-{_FORMAT}-"
        self._folder = home() / "corpus" / f"{self._states}{source.state}"

    def summary(self) -> dict:
        """The result of `Reading.summary`; pandas is not imported when it is cached."""
        self._fill()
        return read_json(self._folder / "summary.json")

    def tables(self) -> tuple[pd.DataFrame, dict[str, str]]:
        """Trials, and codes by network."""
        self._fill()
        codes, trials = (read_parquet(self._folder / f"{name}.parquet", "cached table") for name in ("codes", "trials"))
        return trials, dict(zip(codes["nn"], codes["code"], strict=True))

    def statistics(self) -> pd.DataFrame | None:
        """`Reading.statistics`."""
        self._fill()
        file = self._folder / "statistics.parquet"
        return read_parquet(file, "cached table") if file.is_file() else None

    def _fill(self) -> None:
        if self._folder.is_dir():
            return
        reading = self._source.read()
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(prefix=".new-", dir=self._folder.parent))
        try:
            _write(new, reading, self._source.place)
            try:
                os.rename(new, self._folder)
            except OSError:
                if not self._folder.is_dir():  # else another process was faster
                    raise
            self._forget_earlier_states()
        finally:
            shutil.rmtree(new, ignore_errors=True)

    def _forget_earlier_states(self) -> None:
        for folder in self._folder.parent.glob(f"{self._states}*"):
            if folder != self._folder:
                shutil.rmtree(folder, ignore_errors=True)


def _write(folder: Path, reading: Reading, place: str) -> None:
    import pandas as pd

    codes = pd.DataFrame({"nn": list(reading.codes), "code": list(reading.codes.values())}, dtype="str")
    write_parquet(reading.trials, folder / "trials.parquet", compression="zstd")
    write_parquet(codes, folder / "codes.parquet", compression="zstd")
    if reading.statistics is not None:
        write_parquet(reading.statistics, folder / "statistics.parquet", compression="zstd")
    (folder / "summary.json").write_text(json.dumps(reading.summary(place), ensure_ascii=False), encoding="utf-8")
    seal(folder)
