"""The report: one self-contained HTML page of tables, plots and captions about finished runs."""

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nngpt_perfclf.config import Config, load_config, to_dict
from nngpt_perfclf.evaluation import captions, pruning
from nngpt_perfclf.files import read_json, whole
from nngpt_perfclf.types import PerfclfError

FILES = {"evaluation": "evaluation.json", "log": "log.jsonl", "loop": "loop.json", "folds": "folds.json"}
# The paper's reported accuracy; the interval is Wilson's for 24 of 30.
PAPER = {"accuracy": 0.80, "n": 30, "low": 0.627, "high": 0.905, "rounds": 15}


@dataclass(frozen=True)
class Run:
    """The content of a run folder: `record` (the manifest), `evaluation`, `log` rows, `loop`, `folds`; empty where it
    has none."""

    name: str
    record: dict
    evaluation: dict
    log: tuple[dict, ...]
    loop: dict
    folds: dict

    @property
    def config(self) -> dict:
        return self.record.get("config") or self.loop.get("config") or {}

    @property
    def task(self) -> dict:
        """The label and the held-out part, in words."""
        config = self.config
        split = config["split"]
        left_out = f" {split['left_out']}" if split.get("left_out") else ""
        return {"label": f"{config['label']}, {config['trial']} trial, epoch {config['epoch']}",
                "split": f"{split['by']}{left_out}, {config['evaluate']['part']} part"}


def report(config: Config, *runs: str) -> dict:
    """Write one HTML page about the runs: folders of a training, an evaluation, a loop or pruned NNGPT generations.

    The page is `config.out`, by default ``report.html`` in the first run's folder, and needs no network and no other
    file. Raises PerfclfError for a folder without results.
    """
    pruned = {run: records for run in runs if (records := pruning.read_records(Path(run)))}
    finished = [read_run(Path(run)) for run in runs if run not in pruned]
    out = Path(config.out) if config.out else Path(runs[0])
    out = out / "report.html" if out.is_dir() or not out.suffix else out
    content = {**sections(finished), "pruning": [pruned_run(records, Path(run)) for run, records in pruned.items()]}
    with whole(out) as new:
        new.write_text(render(content), encoding="utf-8")
    return {"out": str(out), "bytes": out.stat().st_size, "runs": [Path(run).resolve().name for run in runs],
            "sections": [key for key, value in content.items() if value],
            "says": [*content["headlines"], *(run["line"] for run in content["pruning"])]}


def read_run(folder: Path) -> Run:
    """The results in a run folder. Raises PerfclfError for a folder without results or with a damaged file."""
    evaluation, loop, folds = (read_json(folder / FILES[kind]) if (folder / FILES[kind]).is_file() else {}
                               for kind in ("evaluation", "loop", "folds"))
    log = _read_log(folder / FILES["log"]) if (folder / FILES["log"]).is_file() else ()
    if not (evaluation or loop or log or folds):
        raise PerfclfError(f"no results in {folder}: expected {', '.join(FILES.values())} of a finished run")
    record = evaluation.get("record") or (read_json(folder / "run.json") if (folder / "run.json").is_file() else {})
    return Run(folder.resolve().name, record, evaluation, log, loop, folds)


def sections(runs: Sequence[Run]) -> dict:
    """The content of each section of the page; empty sections are left out."""
    scored = [run for run in runs if run.evaluation.get("predictors")]
    generated = [run for run in runs if run.evaluation.get("peaks")]
    replayed = [(run, _lines(run.loop["rows"])) for run in runs if run.loop.get("rows")]
    return {
        "headlines": [captions.headline(run.evaluation) for run in scored]
                     + [captions.paper(run.evaluation) for run in generated]
                     + [captions.saving(lines) for _, lines in replayed],
        "runs": [_about(run) for run in runs],
        "predictors": _predictors(scored),
        "folds": [{"title": run.name, "caption": captions.folds(run.folds), **run.folds} for run in runs if run.folds],
        "seeds": [run for run in runs if run.evaluation.get("runs")],
        "learning": [_figure(run, "learning", captions.learning(run.log), run.log) for run in runs if run.log],
        "datasets": [_figure(run, "by_dataset", captions.datasets(rows := run.evaluation["by_dataset"]), rows)
                     for run in scored],
        "reliability": [_figure(run, "reliability", captions.reliability(
            rows := run.evaluation["reliability"], run.evaluation["predictors"][0]["calibration_error"]), rows)
            for run in scored],
        "coverage": [_figure(run, "coverage", captions.coverage(rows := run.evaluation["coverage"]), rows)
                     for run in scored],
        "pairs": [_figure(run, "pair_map", captions.pairs(rows := run.evaluation["by_pair"]), rows) for run in scored],
        "rounds": [_figure(run, "rounds", captions.paper(run.evaluation), run.evaluation["rounds"])
                   for run in generated],
        "replays": [_figure(run, "saving_regret", captions.saving(lines), lines) for run, lines in replayed],
        "outcomes": [_figure(run, "outcomes", captions.outcomes(rows), rows) for run in runs
                     if (rows := [row for row in run.loop.get("outcomes", ()) if row["target"] == "all"])],
        "paper": PAPER if scored else None,
    }


def pruned_run(records: Sequence[dict], folder: Path) -> dict:
    """The content of the section of a pruned NNGPT run."""
    from nngpt_perfclf.evaluation import plots

    page = pruning.page(records, folder.resolve().name)
    return {**page, "scatter": plots.score_accuracy(page["points"]) if page["points"] else "",
            "saved": plots.hours_saved(page["generations"]) if len(page["generations"]) > 1 else ""}


def render(content: dict) -> str:
    """The HTML page of these sections."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(loader=PackageLoader("nngpt_perfclf", "evaluation"), autoescape=True, trim_blocks=True,
                              lstrip_blocks=True, undefined=StrictUndefined)
    environment.filters |= {"percent": captions.percent, "interval": captions.interval, "signed": captions.signed,
                            "number": _number, "title": _title}
    return environment.get_template("report.html.j2").render(**content)


def _figure(run: Run, plot: str, caption: str, data) -> dict:
    """A plot with its caption; `rows` for the table below it."""
    from nngpt_perfclf.evaluation import plots

    return {"title": run.name, "caption": caption, "svg": getattr(plots, plot)(data), "rows": data,
            "adviser": run.evaluation.get("adviser", run.name)}


def _predictors(runs: Sequence[Run]) -> dict:
    """All predictors of all evaluations, and a plot of them."""
    from nngpt_perfclf.evaluation import plots

    if not runs:
        return {}
    rows = [{**run.task, **row, "prior": run.evaluation["prior"], "run": run.name,
             "ceiling": run.evaluation["replicate_ceiling"]["agreement"]}
            for run in runs for row in run.evaluation["predictors"]]
    distinct = {(row["label"], row["split"], row["predictor"], row["n"]): row for row in rows}.values()
    names = list(dict.fromkeys(row["predictor"] for row in distinct))
    several = len({(row["label"], row["split"]) for row in distinct}) > 1
    bars = []
    for row in distinct:
        task = f"\n{row['label'].split(',')[0]}, {row['split'].split(',')[0]}" if several else ""
        bars.append({"label": f"{_title(row['predictor'])}{task}", "accuracy": row["accuracy"], "low": row["group_low"],
                     "high": row["group_high"], "colour": names.index(row["predictor"]) % len(plots.COLOURS)})
    return {"rows": list(distinct), "svg": plots.accuracies(bars),
            "comparisons": [{**run.task, "adviser": run.evaluation["adviser"], **row}
                            for run in runs for row in run.evaluation["comparisons"]]}


def _about(run: Run) -> dict:
    """Kind, versions, settings and the command that repeats the run."""
    record, config = run.record, _flat(run.config)
    kind = record.get("kind") or ("loop" if run.loop else "?")
    protocol = ["protocol=paper"] if kind == "paper" else []
    defaults = _flat(json.loads(json.dumps(to_dict(load_config(overrides=protocol)))))
    name = config.get("model.location") if config.get("model.source") == "folder" else config.get("model.name")
    model = [f"model={name}"] if name not in (None, defaults["model.name"]) else []
    same = {"out", "resume", "threads", *(key for key in config if key.startswith("model."))}
    changed = [f"{key}={_argument(value)}" for key, value in config.items()
               if key not in same and value != defaults.get(key)]
    verb = {"evaluation": "evaluate", "folds": "evaluate", "paper": "evaluate", "loop": "loop"}.get(kind, "train")
    adviser = [record["adviser"]] if record.get("adviser") not in (None, config.get("model.name")) else []
    facts = [kind, *(f"{key} {str(record[key])[:12]}" for key in ("version", "commit", "data") if record.get(key)),
             f"seed {config.get('seed')}"]
    facts += [f"computed in {record['computed_with']}"] if record.get("computed_with") else []
    return {"name": run.name, "facts": facts, "versions": record.get("versions", {}),
            "command": shlex.join(["nngpt-perfclf", verb, *adviser, *protocol, *model, *changed]), "settings": config}


def _lines(rows: Sequence[dict]) -> dict[str, list[dict]]:
    """The rows of the mean over targets, by policy and, for policies that ask, adviser."""
    lines: dict[str, list[dict]] = {}
    for row in rows:
        if row["target"] == "all":
            alone = row["policy"] in ("nop", "random", "oracle")
            lines.setdefault(row["policy"] if alone else f"{row['policy']}, {row['adviser']}", []).append(row)
    return lines


def _read_log(file: Path) -> tuple[dict, ...]:
    try:
        return tuple(json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip())
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise PerfclfError(f"{file} is damaged: {error}") from error


def _flat(config: dict, prefix: str = "") -> dict:
    """Nested settings with dotted names."""
    flat: dict = {}
    for key, value in config.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat


def _argument(value) -> str:
    """A value as a command-line argument: lists without spaces."""
    if isinstance(value, list):
        return f"[{','.join(map(_argument, value))}]"
    return "null" if value is None else json.dumps(value) if isinstance(value, bool) else str(value)


def _number(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}".replace("-", "−")


def _title(predictor: str) -> str:
    """How a predictor is called in tables and plots."""
    return captions.BASELINE if predictor == "prior" else predictor
