"""Advisers that know nothing of the target dataset: trained without its trials, anchors, pairs and calibration."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from nngpt_perfclf.config import Config, load_config
from nngpt_perfclf.console import say
from nngpt_perfclf.run_folder import RunFolder
from nngpt_perfclf.types import PerfclfError


def adviser_without(config: Config, adviser: str, target: str, folder: Path) -> str:
    """The run folder of the registered `adviser`, trained on the training part without the dataset `target`; a finished
    one below `folder` is not trained again.

    The networks of the held-out parts are left out as well, as always. Raises PerfclfError for an adviser that cannot
    be trained, such as a run folder.
    """
    from nngpt_perfclf.advice.registry import specs

    spec = specs().get(adviser)
    if spec is None or spec.train is None:
        raise PerfclfError(f"loop.unseen_target needs registered advisers that can be trained, not {adviser!r}")
    run = RunFolder(folder / "without" / f"{adviser}-{target}")
    if not run.is_done:
        say(f"training {adviser} without {target}")
        model = load_config(overrides=[f"model={adviser}"]).model if spec.name == spec.run_kind else config.model
        split = replace(config.split, by="dataset", left_out=target)
        spec.train(replace(config, split=split, model=model, out=str(run.path), seeds=()), run.path)
    return str(run.path)
