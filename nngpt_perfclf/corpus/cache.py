"""The Parquet cache: one folder for each state of a source, written atomically."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from nngpt_perfclf.config import home

if TYPE_CHECKING:
    import pandas as pd

    from nngpt_perfclf.corpus.reading import Reading
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
        return json.loads((self._folder / "summary.json").read_text(encoding="utf-8"))

    def tables(self) -> tuple[pd.DataFrame, dict[str, str]]:
        """Trials, and codes by network."""
        import pandas as pd

        self._fill()
        codes = pd.read_parquet(self._folder / "codes.parquet")
        return pd.read_parquet(self._folder / "trials.parquet"), dict(zip(codes["nn"], codes["code"], strict=True))

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
    reading.trials.to_parquet(folder / "trials.parquet", compression="zstd", index=False)
    codes.to_parquet(folder / "codes.parquet", compression="zstd", index=False)
    (folder / "summary.json").write_text(json.dumps(reading.summary(place), ensure_ascii=False), encoding="utf-8")
