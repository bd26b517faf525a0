"""The iterative pipeline of the repository's head, as the contract describes it: a child process generates, evaluates
through `custom_synth_dir` below its `--epoch_root`, and its standard error goes to a file."""

import json
import textwrap

import pytest
from nngpt_head import EVAL
from nngpt_stubs import JUNK, NETWORK
from nngpt_world import environment, for_the_plugin, run

from nngpt_perfclf.config import conf_folder
from nngpt_perfclf.nngpt import hook
from nngpt_perfclf.nngpt.enable import STARTER, _write_starter

TUNE = f'''
"""Generates four candidates, and evaluates them."""

import argparse
from pathlib import Path

import ab.gpt.act.eval.Eval as NNEval

CODES = {[NETWORK.format(width=width) for width in (3, 9, 6)] + [JUNK]!r}


def main(epoch_root):
    synth = Path(epoch_root) / "A0" / "synth_nn"
    for number, code in enumerate(CODES):
        (synth / f"B{{number}}").mkdir(parents=True)
        (synth / f"B{{number}}" / "new_nn.py").write_text(code)
    NNEval.main(nn_name_prefix=None, nn_train_epochs=1, only_epoch=0, custom_synth_dir=synth)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--epoch_root")
    main(**vars(parser.parse_args()))
'''
FINETUNE = textwrap.dedent('''
    """Cycles, each in a child process."""

    import json
    import os
    import subprocess
    import sys
    from pathlib import Path


    class IterativeFinetuner:
        output_dir = Path(os.environ["NNGPT_WORLD"]) / "out" / "curation_output"

        def run_cycle(self, cycle):
            folder = self.output_dir / f"cycle_{cycle}"
            folder.mkdir(parents=True)
            command = [sys.executable, "-m", "ab.gpt.act.tune.Tune", "--epoch_root", str(folder / "generation")]
            with (folder / "finetune_stderr.log").open("w") as log:
                subprocess.run(command, stderr=log, check=True)
            found = {int(path.name[1:]): path for path in (folder / "generation/A0/synth_nn").glob("B*")}
            trained = sum((path / "eval_info.json").exists() for path in found.values())
            total = max(found) + 1
            (folder / "evaluation_results.json").write_text(json.dumps(
                {"total_evaluated": total, "successful": trained, "failed": total - trained}))
            result = {"cycle": cycle, "success": True, "generation": {"total_generated": total, "successful": trained},
                      "evaluation": {"models_trained": trained, "success_rate": trained / total}}
            (folder / "cycle_results.json").write_text(json.dumps(result))
            return result


    if __name__ == "__main__":
        pipeline = IterativeFinetuner()
        for cycle in (1, 2):
            pipeline.run_cycle(cycle)
''')


@pytest.fixture
def root(tmp_path):
    for name, code in (("eval/Eval", EVAL), ("tune/Tune", TUNE), ("iterative/finetune", FINETUNE)):
        file = tmp_path / "ab" / "gpt" / "act" / f"{name}.py"
        file.parent.mkdir(parents=True)
        file.write_text(code)
        (file.parent / "__init__.py").touch()
    for package in ("ab", "ab/gpt", "ab/gpt/act"):
        (tmp_path / package / "__init__.py").touch()
    configuration = for_the_plugin((conf_folder() / "nngpt.yaml").read_text())
    (tmp_path / "perfclf.yaml").write_text(configuration.replace("outcomes: 200", "outcomes: 0"))
    environment(tmp_path)
    _write_starter(tmp_path / "site" / STARTER, {str(tmp_path)})
    return tmp_path


def test_its_children_are_pruned_its_figures_are_of_those_tried_and_its_operator_sees_the_lines(root):
    done = run(root, "-m", "ab.gpt.act.iterative.finetune", **{hook.PRUNE: str(root / "perfclf.yaml")})
    assert done.returncode == 0, done.stderr
    for cycle in (1, 2):
        folder = root / "out" / "curation_output" / f"cycle_{cycle}"
        sides = {side: sorted(path.name for path in (folder / "generation" / "A0" / side).iterdir())
                 for side in ("synth_nn", "pruned_nn")}
        assert sides == {"synth_nn": ["B1", "B2"], "pruned_nn": ["B0", "B3"]}
        figures = json.loads((folder / "cycle_results.json").read_text())
        assert figures["evaluation"]["success_rate"] == 1.0
        assert figures["generation"] == {"total_generated": 3, "successful": 2, "pruned": 1}
        assert json.loads((folder / "evaluation_results.json").read_text())["failed"] == 0
    lines = [line for line in done.stdout.splitlines() if line.startswith("nngpt_perfclf: ")]
    assert len(lines) == 2
    assert "cycle_2/generation/A0: 4 asked, 2 kept, 2 pruned (1 broken)" in lines[1]
    assert len(list((root / "out" / "nngpt" / "perfclf").iterdir())) == 1, "one folder of records for the whole run"
