"""Advisers that know nothing of the target dataset: trained without its trials, anchors, pairs and calibration."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from nngpt_perfclf.advice.registry import trained_once
from nngpt_perfclf.config import Config
from nngpt_perfclf.console import say


def adviser_without(config: Config, adviser: str, target: str, folder: Path) -> str:
    """The run folder of the registered `adviser`, trained on the training part without the dataset `target`; a finished
    one below `folder` is not trained again.

    The networks of the held-out parts are left out as well, as always. Raises PerfclfError for an adviser that cannot
    be trained, such as a run folder.
    """
    say(f"asking {adviser} trained without {target}")
    split = replace(config.split, by="dataset", left_out=target)
    return trained_once(adviser, replace(config, split=split), folder / "without" / f"{adviser}-{target}")
