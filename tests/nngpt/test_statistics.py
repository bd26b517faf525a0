"""NNGPT's iterative pipeline does not count pruned candidates as failures."""

import json

from nngpt_perfclf.nngpt.evaluating import corrected


class Finetuner:
    """As NNGPT's class, which numbers candidates up to the highest that it finds; a missing one counts as failed."""

    def __init__(self, output_dir):
        self.output_dir = output_dir

    def run_cycle(self, cycle):
        folder = self.output_dir / f"cycle_{cycle}"
        synth = folder / "generation" / "A0" / "synth_nn"
        numbers = [int(path.name[1:]) for path in synth.glob("B*")]
        total = max(numbers) + 1
        successful = sum((path / "eval_info.json").exists() for path in synth.glob("B*"))
        (folder / "evaluation_results.json").write_text(json.dumps(
            {"cycle": cycle, "total_evaluated": total, "successful": successful, "failed": total - successful}))
        result = {"cycle": cycle, "success": True,
                  "generation": {"total_generated": total, "successful": successful},
                  "evaluation": {"models_trained": successful, "success_rate": successful / total}}
        (folder / "cycle_results.json").write_text(json.dumps(result))
        return result


def cycle(root, trained, failed=(), pruned=()):
    """A finished cycle in `root`; the numbers of its candidates."""
    epoch = root / "cycle_1" / "generation" / "A0"
    for side, numbers in (("synth_nn", [*trained, *failed]), ("pruned_nn", pruned)):
        for number in numbers:
            (epoch / side / f"B{number}").mkdir(parents=True)
    for number in trained:
        (epoch / "synth_nn" / f"B{number}" / "eval_info.json").write_text("{}")
    return corrected(type("Fresh", (Finetuner,), {}), {})(root).run_cycle(1), root / "cycle_1"


def test_the_success_rate_is_of_those_that_were_tried(tmp_path):
    result, folder = cycle(tmp_path, trained=[1, 4, 9], failed=[5], pruned=[0, 2, 3, 6, 7, 8])
    assert result["evaluation"]["success_rate"] == 3 / 4
    assert result["generation"] == {"total_generated": 10, "successful": 3, "pruned": 6}
    assert json.loads((folder / "cycle_results.json").read_text()) == result
    assert json.loads((folder / "evaluation_results.json").read_text()) == {
        "cycle": 1, "total_evaluated": 4, "successful": 3, "failed": 1, "pruned": 6}


def test_pruned_ones_beyond_the_highest_number_were_never_counted(tmp_path):
    result, _ = cycle(tmp_path, trained=[0, 2], pruned=[1, 3, 4])
    assert result["evaluation"]["success_rate"] == 1.0
    assert result["generation"]["pruned"] == 1


def test_a_cycle_without_pruned_candidates_stays_as_it_is(tmp_path):
    result, folder = cycle(tmp_path, trained=[0, 2])
    assert result == json.loads((folder / "cycle_results.json").read_text())
    assert "pruned" not in result["generation"]
    assert result["evaluation"]["success_rate"] == 2 / 3, "a candidate that NNGPT itself lost is NNGPT's affair"


def test_figures_that_cannot_be_corrected_stay_and_are_reported(tmp_path, caplog):
    class Other(Finetuner):
        def run_cycle(self, cycle):
            return {"success": True, "generation": {}, "evaluation": {}}

    (tmp_path / "cycle_1" / "generation" / "A0" / "pruned_nn" / "B0").mkdir(parents=True)
    (tmp_path / "cycle_1" / "generation" / "A0" / "synth_nn" / "B1").mkdir(parents=True)
    assert corrected(Other, {})(tmp_path).run_cycle(1)["success"]
    assert "counts pruned candidates as failures" in caplog.text
