"""Run folders become the pretrained advisers inside the package, so that their names work without training.

``python -m nngpt_perfclf.advice.shipping RUN…`` copies what answering needs.
"""

import filecmp
import shutil
import sys
from pathlib import Path

from nngpt_perfclf.advice.nearest import FILE as NEIGHBOURS
from nngpt_perfclf.advice.prior import FILE as PRIOR
from nngpt_perfclf.advice.registry import specs
from nngpt_perfclf.advice.run_folders import PRETRAINED
from nngpt_perfclf.checksums import FILE as SUMS
from nngpt_perfclf.checksums import seal
from nngpt_perfclf.console import say
from nngpt_perfclf.run_folder import DONE, MANIFEST, RunFolder
from nngpt_perfclf.types import PerfclfError

LARGEST = 12_000_000  # bytes of one adviser: the package is downloaded whole
SHARED = (PRIOR, NEIGHBOURS)
LEFT_BEHIND = (SUMS, "checkpoints", "folds", "log.jsonl", "shards")


def ship(run: Path, pretrained: Path = PRETRAINED) -> Path:
    """Copy the finished run folder of an adviser into the package, in place of the one of its kind.

    Raises PerfclfError where the run is unfinished, of another kind, or too large. A prior, and recorded trials, that
    equal the shared ones are not copied; where none are shared yet, the run's are.
    """
    manifest = RunFolder(run).manifest
    kinds = [spec.run_kind for spec in specs().values() if spec.train is not None]
    if manifest.get("kind") not in kinds or manifest.get("status") != DONE:
        raise PerfclfError(f"{run} is no finished run of an adviser ({', '.join(kinds)})")
    target = pretrained / manifest["kind"]
    unfinished = target.with_name(f".{target.name}.new")
    shutil.rmtree(unfinished, ignore_errors=True)
    shutil.copytree(run, unfinished, ignore=shutil.ignore_patterns(*LEFT_BEHIND))
    for file in unfinished.rglob(MANIFEST):
        _forget_where(RunFolder(file.parent))
    for name in SHARED:
        _share(name, unfinished, pretrained)
    seal(unfinished)
    size = sum(file.stat().st_size for file in unfinished.rglob("*") if file.is_file())
    if size > LARGEST:
        shutil.rmtree(unfinished)
        raise PerfclfError(f"{run} takes {size:,} bytes, more than the {LARGEST:,} that may travel with the package")
    shutil.rmtree(target, ignore_errors=True)
    unfinished.rename(target)
    seal(pretrained)
    return target


def _forget_where(run: RunFolder) -> None:
    """Where the run was trained is of no use elsewhere."""
    manifest = run.manifest
    manifest["config"] |= {"out": None, "threads": None, "corpus": {**manifest["config"]["corpus"], "path": None}}
    run.note(manifest)


def _share(name: str, folder: Path, pretrained: Path) -> None:
    shared = pretrained / name
    for own in folder.rglob(name):
        if not shared.is_file():
            shutil.copy(own, shared)
        if filecmp.cmp(own, shared, shallow=False):
            own.unlink()


if __name__ == "__main__":
    for name in sys.argv[1:]:
        say(f"shipped {ship(Path(name))}")
