"""The figures of `replay.outcomes`: by number of outcomes and by how they were chosen, for each target and all."""

from collections.abc import Mapping, Sequence

import numpy as np

from nngpt_perfclf.config import Config
from nngpt_perfclf.evaluation.metrics import calibration_error, hits, reliability
from nngpt_perfclf.replay.outcome_world import LABELS


def rows(found: Mapping[str, Mapping[str, np.ndarray]], units: Sequence[str], weights: np.ndarray,
         config: Config) -> list[dict]:
    """One row for each policy, number of outcomes, and target or ``all``. `found`: by target, what was measured;
    `weights`: (bootstrap samples, units)."""
    table = []
    for policy in config.loop.policies:
        for count in config.loop.outcomes:
            for target in (*found, "all"):
                chosen = list(found.values()) if target == "all" else [found[target]]
                row = {"policy": policy, "outcomes": count, "target": target}
                for label in LABELS:
                    row |= _pairs(chosen, f"{policy} {count} {label}", label, units, weights)
                row["normalized_lookup"] = _lookup(chosen, f"{policy} {count} lookup")
                table.append(row | _pruning(chosen, f"{policy} {count} pruned", config))
    return table


def _pairs(chosen: Sequence[Mapping[str, np.ndarray]], key: str, label: str, units: Sequence[str],
           weights: np.ndarray) -> dict:
    """Share of right answers with its interval, calibration error, and the share without a model of the dataset."""
    answers, won = [measured[key] for measured in chosen], [measured[f"won {label}"] for measured in chosen]
    answered = [~np.isnan(part) for part in answers]
    right = [np.where(mask, hits(part, np.broadcast_to(side, part.shape)), 0.0).sum(axis=0)
             for part, mask, side in zip(answers, answered, won, strict=True)]
    count = np.concatenate([mask.sum(axis=0) for mask in answered])
    total = np.concatenate(right)
    of_pair = weights[:, np.searchsorted(units, np.concatenate([measured[f"units {label}"] for measured in chosen]))]
    spread = (of_pair @ total) / np.maximum(of_pair @ count, 1)
    flat = np.concatenate([part[mask] for part, mask in zip(answers, answered, strict=True)])
    flat_won = np.concatenate([np.broadcast_to(side, mask.shape)[mask]
                               for side, mask in zip(won, answered, strict=True)])
    alone = np.concatenate([np.where(side, measured[f"alone {label}"], 1 - measured[f"alone {label}"])
                            for measured, side in zip(chosen, won, strict=True)])
    return {f"{label}_n": len(count), f"{label}_right": total.sum() / count.sum(),
            **_interval(f"{label}_right", spread),
            f"{label}_calibration_error": calibration_error(reliability(flat, flat_won)),
            f"{label}_scores_alone": float(alone.mean())}


def _lookup(chosen: Sequence[Mapping[str, np.ndarray]], key: str) -> float:
    """Share of right answers of the baseline that reads neither code nor recipe."""
    right = [hits(measured[key], np.broadcast_to(measured["won normalized"], measured[key].shape))
             for measured in chosen]
    return float(np.nanmean(np.concatenate([part[~np.isnan(measured[key])]
                                            for part, measured in zip(right, chosen, strict=True)])))


def _pruning(chosen: Sequence[Mapping[str, np.ndarray]], key: str, config: Config) -> dict:
    """Mean regret and time saved at each share to keep, with intervals; each bootstrap sample belongs to one draw."""
    plain = np.mean([measured[key][:, 0].mean(axis=0) for measured in chosen], axis=0)
    samples = np.mean([measured[key][:, 1:].reshape(-1, *measured[key].shape[2:]) for measured in chosen], axis=0)
    row = {}
    for place, share in enumerate(config.loop.keep):
        for number, name in enumerate((f"regret_{share:g}", f"saved_{share:g}")):
            row |= {name: float(plain[place, number]), **_interval(name, samples[:, place, number])}
    return row


def _interval(name: str, spread: np.ndarray) -> dict:
    low, high = np.percentile(spread, [2.5, 97.5])
    return {f"{name}_low": float(low), f"{name}_high": float(high)}
