"""The evaluation of the repository's head, as the contract describes it."""

import textwrap

# In the place of NNGPT's: trains nobody, and writes down whom it would have trained.
EVAL = textwrap.dedent('''
    """The head's evaluation."""

    import argparse
    import json
    import os
    from pathlib import Path

    ROOT = Path(os.environ["NNGPT_WORLD"])


    def epoch_dir(*numbers):
        folder = ROOT / "out" / "nngpt" / "llm" / "epoch"
        for number in numbers:
            folder = folder / f"A{number}"
        return folder


    def synth_dir(folder):
        return folder / "synth_nn"


    def main(nn_name_prefix=None, nn_train_epochs=1, only_epoch=None, save_to_db=True, nn_alter_epochs=None,
             task="img-classification", dataset="cifar-10", metric="acc", lr=0.01, batch=64, dropout=0.2, momentum=0.9,
             transform="norm_256_flip", prm_json=None, custom_synth_dir=None, cycle=None):
        if custom_synth_dir:
            folders = [Path(custom_synth_dir)]
        elif only_epoch is not None:
            folders = [synth_dir(epoch_dir(only_epoch))]
        else:
            folders = [synth_dir(path) for path in sorted(epoch_dir().iterdir())]
        trained = []
        for folder in folders:
            for candidate in sorted(folder.iterdir()):
                (candidate / "eval_info.json").write_text(json.dumps({"eval_results": {"accuracy": 0.5}}))
                trained.append(f"{folder.parent.name}/{candidate.name}")
        with (ROOT / "trained").open("a") as file:
            file.writelines(f"{name}\\n" for name in trained)
        return {"trained": trained}


    if __name__ == "__main__":
        parser = argparse.ArgumentParser()
        parser.add_argument("--only_epoch", type=int)
        parser.add_argument("--custom_synth_dir")
        main(**vars(parser.parse_args()))
''')
