"""The verb `dataset`: the properties of a user's own dataset, written as advisers read them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from nngpt_perfclf.config import Config
from nngpt_perfclf.config.loading import home
from nngpt_perfclf.datasets.properties import DatasetProperties, check_name, dataset_properties
from nngpt_perfclf.datasets.sources import properties_of
from nngpt_perfclf.files import whole
from nngpt_perfclf.types import PerfclfError


def command(config: Config, action: str, source: str, name: str | None = None) -> dict:
    """``dataset describe SOURCE --name NAME``: write the properties of SOURCE (FOLDER, FILE.npz or torchvision:NAME)
    as an entry of the YAML file `config.out` (default: NAME.yaml), which ``datasets=FILE`` gives to every verb.

    Raises PerfclfError for a missing, invalid or known name, and for a source without labelled images.
    """
    if action != "describe":
        raise PerfclfError(f"dataset {action}: say describe, as in: dataset describe images/ --name mine")
    if name is None:
        raise PerfclfError("name the dataset, as in: dataset describe images/ --name mine")
    check_name(name)
    out = Path(config.out or f"{name}.yaml")
    described = dataset_properties(out if out.is_file() else None)
    if name in described:
        raise PerfclfError(f"{name} is known already: give the dataset another name")
    found = properties_of(source, home() / "torchvision")
    before = out.read_text(encoding="utf-8") if out.is_file() else ""
    with whole(out) as new:
        new.write_text(f"{before}{'' if before.endswith(chr(10)) or not before else chr(10)}{entry(name, found)}\n",
                       encoding="utf-8")
    return {"name": name, **asdict(found), "out": str(out), "use": f"datasets={out}"}


def entry(name: str, properties: DatasetProperties) -> str:
    """The line of a YAML file of datasets."""
    return f"{name}: {{{', '.join(f'{key}: {value}' for key, value in asdict(properties).items())}}}"
