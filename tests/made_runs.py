"""Run folders of every kind with made-up results, for the tests of the report."""

import json
import math
import random
from pathlib import Path

from made_predictions import predictions

from nngpt_perfclf.config import load_config, to_dict
from nngpt_perfclf.evaluation.figures import summary
from nngpt_perfclf.files import write_json
from nngpt_perfclf.run_folder import manifest as record


def evaluation(folder: Path, name: str = "pretrained", skill: float = 1.0, seed: int = 0,
               overrides: tuple = ()) -> Path:
    table = predictions(skill=skill, seed=seed)
    other = table.assign(p_a=predictions(skill=0.7, seed=seed)["p_a"])
    config = load_config(overrides=list(overrides))
    figures = summary(table, {"pairwise": other}, name, resamples=200)
    write_json(folder / "evaluation.json", {
        **figures, "replicate_ceiling": {"n": 500, "agreement": 0.805, "low": 0.79, "high": 0.82}, "left_out": [],
        "record": record("evaluation", to_dict(config), "0123456789abcdef", adviser=name)})
    return folder


def training(folder: Path) -> Path:
    write_json(folder / "run.json", record("language", to_dict(load_config()), "0123456789abcdef"))
    draw = random.Random(0)
    rows = [{"step": step, "loss": 0.6 + 0.3 * math.exp(-step / 80) + draw.gauss(0, 0.04)} for step in range(5, 301, 5)]
    rows += [{"step": step, "validation_loss": 0.6, "validation_accuracy": 0.8 - 0.15 * math.exp(-step / 90), "n": 240}
             for step in range(50, 301, 50)]
    folder.mkdir(parents=True, exist_ok=True)
    rows.sort(key=lambda row: row["step"])
    (folder / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def seeds(folder: Path) -> Path:
    rows = [{"seed": seed, "n": 720, "accuracy": 0.79 + seed / 100, "accuracy_low": 0.76, "accuracy_high": 0.83,
             "prior": 0.75} for seed in range(3)]
    write_json(folder / "evaluation.json", {
        "adviser": "three", "seeds": 3, "n": 720, "accuracy": 0.8, "accuracy_deviation": 0.01, "prior": 0.75,
        "runs": rows, "record": record("evaluation", to_dict(load_config()), "0123456789abcdef", adviser="runs/three")})
    return folder


def loop(folder: Path) -> Path:
    bases = {("nop", "nobody"): None, ("random", "nobody"): 9.0, ("oracle", "nobody"): 0.0, ("ask", "pointwise"): 0.8,
             ("ask", "pretrained"): 3.0, ("ask", "pairwise"): 6.0, ("naive", "pointwise"): 14.0}
    rows = []
    for (policy, adviser), worst in bases.items():
        for keep in (1.0,) if worst is None else (0.75, 0.5, 0.25, 0.1):
            regret, saved = (worst or 0.0) * (1 - keep) ** 1.5, 0.95 * (1 - keep)
            rows += [{"target": target, "adviser": adviser, "policy": policy, "keep": keep, "regret_points": regret,
                      "regret_points_low": 0.8 * regret, "regret_points_high": 1.2 * regret, "time_saved": saved,
                      "time_saved_low": saved * 0.97, "time_saved_high": saved * 1.03} for target in ("all", "mnist")]
    write_json(folder / "loop.json", {"rows": rows, "config": to_dict(load_config())})
    return folder


def outcomes(folder: Path) -> Path:
    rows = [{"policy": policy, "outcomes": count, "target": target, "normalized_n": 400,
             **{f"{label}_right{bound}": 0.7 + 0.01 * count + shift for label in ("normalized", "rank")
                for bound, shift in (("", 0.0), ("_low", -0.02), ("_high", 0.02))}}
            for policy in ("random", "ask") for count in (0, 3, 10) for target in ("svhn", "all")]
    write_json(folder / "loop.json", {"outcomes": rows, "config": to_dict(load_config())})
    return folder


def folds(folder: Path) -> Path:
    table = [{"label": "rank", "trial": "random", "predictor": predictor, "n": 90, "accuracy": accuracy,
              "accuracy_low": accuracy - 0.1, "accuracy_high": accuracy + 0.1, "above_prior": accuracy - 0.5,
              "above_prior_low": None, "above_prior_high": None} for predictor, accuracy in
             (("prior", 0.5), ("pairwise (both)", 0.8))]
    parts = [{"fold": fold, **row} for row in table for fold in ("ga", "hand-written")]
    write_json(folder / "folds.json", {"epoch": 1, "split": "family", "table": table, "folds": parts})
    begun = load_config(overrides=["evaluate.part=folds", "split.by=family", "evaluate.reads=[code,both]"])
    write_json(folder / "run.json", record("folds", to_dict(begun), "0123456789abcdef"))
    return folder


def paper(folder: Path) -> Path:
    rows = [{"round": number, "n": 30, "accuracy": accuracy, "low": max(0, accuracy - 0.16),
             "high": min(1, accuracy + 0.15), "as_reference": accuracy, "prior": 0.8,
             "unparsed": 20 - number, "unparsed_as_reference": 20 - number}
            for number, accuracy in enumerate((0.2, 0.4, 0.5, 0.7, 0.6, 0.8, 0.7))]
    peak = {"rounds": 7, "n": 30, "peak": 0.8, "peak_round": 5, "peak_low": 0.63, "peak_high": 0.93,
            "peak_by_luck": 0.68, "first": 0.2, "last": 0.7, "mean": 0.55}
    write_json(folder / "evaluation.json", {
        "adviser": "gemma", "n": 30, "peak": 0.8, "last": 0.7, "prior": 0.8, "rounds": rows,
        "peaks": [{"matching": mode, **peak} for mode in ("strict", "reference")],
        "record": record("paper", to_dict(load_config(overrides=["protocol=paper"])), "0123456789abcdef")})
    return folder


def pruned_generations(folder: Path, generations: int = 2) -> Path:
    """Records of pruned NNGPT generations whose candidates' folders are gone."""
    draw = random.Random(0)
    for number in range(generations):
        rows = []
        for place in range(8):
            score = draw.gauss(0, 1)
            kept, broken = score > 0, place == 7
            row = {"candidate": f"B{place}", "code": None, "score": None if broken else score,
                   "percentile": None if broken else 1 / (1 + math.exp(-score)), "low": None if broken else 0.1,
                   "high": None if broken else 0.9, "broken": broken, "evaluated": False, "target": "cifar-10",
                   "decision": "kept" if kept and not broken else "pruned",
                   "reason": "broken: the code does not parse" if broken else "" if kept else "a lower score"}
            if row["decision"] == "kept":
                row |= {"accuracy": 0.5 + 0.1 * score, "training_seconds": 90.0, "failed": False}
            rows.append(row)
        kept = sum(row["decision"] == "kept" for row in rows)
        write_json(folder / f"A{number}.json", {
            "kind": "nngpt", "version": "0", "adviser": "pointwise", "keep": 0.5, "time": number,
            "epoch": f"/run/epoch/A{number}", "synth": f"/run/epoch/A{number}/synth_nn", "pruned_folder": "/run/pruned",
            "asked": 8, "kept": kept, "pruned": 8 - kept, "broken": 1, "left": 0, "asking_seconds": 1.5,
            "candidates": rows})
    return folder
