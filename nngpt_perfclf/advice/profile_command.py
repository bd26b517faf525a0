"""The verb `profile`: network files, or the networks of LEMUR's trials, built in the sandbox and measured."""

from pathlib import Path

from nngpt_perfclf.advice.rank_command import candidates_of
from nngpt_perfclf.config import Config
from nngpt_perfclf.types import PerfclfError


def profile(config: Config, *files: str, dataset: str | None = None, corpus: bool = False,
            out: str | None = None, sample: str | None = None) -> dict:
    """Profile the networks of `files` for `dataset` under the recipe of `recipe.*`; or with `corpus` those of the
    task's trials, and write the table of their features to `out`, or measure how long `sample` of them take.

    Files are those of the verb `rank`. Returns target and rows with name, status, reason and the profile; with `corpus`
    counts and the reasons of those that could not be built. Raises PerfclfError where neither is named, for an unknown
    dataset, and for a file that cannot be read.
    """
    if corpus:
        if files or dataset:
            raise PerfclfError("--corpus profiles LEMUR's networks for the datasets of their trials: name no file and "
                               "no dataset")
        return _corpus(config, out, sample)
    if not files or dataset is None:
        raise PerfclfError("name the networks and the dataset, as in: profile net.py --dataset cifar-10")
    if out is not None or sample is not None:
        raise PerfclfError("--out and --sample belong to --corpus; files' profiles are printed, as JSON with --json")
    from nngpt_perfclf.profiling.profiler import profile as profiles

    candidates = [candidate for file in files for candidate in candidates_of(Path(file), config)]
    found = profiles(candidates, dataset, config.datasets)
    return {"target": dataset, "rows": [{"name": candidate.name, **profile.to_dict()}
                                        for candidate, profile in zip(candidates, found, strict=True)]}


def table(result: dict) -> dict:
    """The result with the columns that fit on a screen."""
    return {**result, "rows": list(map(_columns, result["rows"]))} if "rows" in result else result


def _columns(row: dict) -> dict:
    setup = row["setup"] or {}
    return {"name": row["name"], "status": row["status"], "reason": row["reason"],
            "image": f"{row['shapes']['channels']}×{row['shapes']['size']}×{row['shapes']['size']}",
            **{name: row.get(name) for name in ("parameters", "macs", "depth", "receptive_field", "activation_bytes")},
            "optimizer": setup.get("optimizer"), "lr": setup.get("lr"), "loss": setup.get("loss")}


def _corpus(config: Config, out: str | None, sample: str | None) -> dict:
    from nngpt_perfclf.profiling.corpus_profiles import describe, measure

    if sample is not None:
        if not sample.isdecimal() or int(sample) == 0:
            raise PerfclfError(f"--sample takes a number of networks, not {sample!r}")
        return measure(config, int(sample))
    return describe(config, Path(out) if out else None)
