"""Language models: the model zoo, LoRA fine-tuning and two-option scoring."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from nngpt_perfclf.config import Config, ModelConfig


def ensure_ready(model: ModelConfig) -> Path:
    """The local folder of a model that transformers can load, fetched and converted when needed."""
    from nngpt_perfclf.models import zoo

    return zoo.ensure_ready(model)


def bench(config: Config, net: str | None = None) -> dict:
    """How fast scoring, reading and training are here; `models.benchmark.bench` says what is measured."""
    from nngpt_perfclf.models.benchmark import bench as run

    return run(config, net)


def describe(config: Config, fetch: bool = False) -> dict:
    """The models of `conf/model/` and which are ready; with `fetch`, the configured one is made ready first."""
    from nngpt_perfclf.models import zoo

    return zoo.describe(config, fetch)
