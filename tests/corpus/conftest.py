import json
import sqlite3
from dataclasses import replace
from pathlib import Path
from zipfile import ZipFile

import pytest

from nngpt_perfclf.config import load_config

NETWORKS = {"AlexNet": "class Net: pass\n", "ga-mut_1": "class Net:\n    depth = 3\n"}
RUNS = {
    "img-classification_cifar-10_acc_AlexNet": {
        1: [{"accuracy": 0.5, "batch": 16, "duration": 2_500_000_000, "lr": 0.01, "momentum": 0.9, "dropout": 0.2,
             "transform": "norm_64_flip", "uid": "u1"},
            {"accuracy": 0.4, "batch": 32, "duration": 1_000_000_000, "lr": 0.1, "transform": "norm_64", "uid": "u2",
             "beta1": 0.5}],
        2: [{"accuracy": 0.6, "batch": 16, "duration": 5_000_000_000, "lr": 0.01, "momentum": 0.9, "dropout": 0.2,
             "transform": "norm_64_flip", "uid": "u1"}],
    },
    "img-classification_svhn_acc_ga-mut_1": {
        1: [{"accuracy": 0.7, "batch": 8, "duration": 3_000_000_000, "lr": 0.02, "momentum": 0.1,
             "transform": "echo_64", "uid": "u3"}],
    },
}


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """No test writes to the user's cache."""
    folder = tmp_path / "home"
    monkeypatch.setenv("NNGPT_PERFCLF_HOME", str(folder))
    return folder


@pytest.fixture
def lemur(tmp_path):
    """A small LEMUR as files: the folder `ab/nn`, 2 networks, 3 result files, 4 trials."""
    root = tmp_path / "site" / "ab" / "nn"
    (root / "nn").mkdir(parents=True)
    (root / "nn" / "__init__.py").touch()
    for name, code in NETWORKS.items():
        (root / "nn" / f"{name}.py").write_text(code)
    for folder, files in RUNS.items():
        (root / "stat" / "train" / folder).mkdir(parents=True)
        for epoch, trials in files.items():
            (root / "stat" / "train" / folder / f"{epoch}.json").write_text(json.dumps(trials))
    return root


@pytest.fixture
def pack(tmp_path):
    """Makes the wheel of a LEMUR that lies there as files."""
    def made(root, name="nn_dataset-2.1.2-py3-none-any.whl"):
        file = tmp_path / "published" / name
        file.parent.mkdir(exist_ok=True)
        with ZipFile(file, "w") as archive:
            for path in sorted(root.rglob("*")):
                archive.write(path, Path("ab", "nn") / path.relative_to(root))
        return file

    return made


@pytest.fixture
def database(tmp_path):
    """The same LEMUR as the SQLite database that nn-dataset fills."""
    file = tmp_path / "filled" / "ab.nn.db"
    file.parent.mkdir()
    with sqlite3.connect(file) as connection:
        connection.executescript("""
            CREATE TABLE nn (name TEXT PRIMARY KEY, code TEXT NOT NULL, id TEXT NOT NULL);
            CREATE TABLE prm (uid TEXT NOT NULL, name TEXT NOT NULL, value OBJECT NOT NULL);
            CREATE INDEX idx_prm_uid ON prm (uid, name, value);
            CREATE TABLE stat (id TEXT PRIMARY KEY, accuracy REAL, epoch INTEGER, duration INTEGER, task, dataset, nn,
                               transform, metric, prm);
        """)
        connection.executemany("INSERT INTO nn VALUES (?, ?, ?)", [(*item, item[0]) for item in NETWORKS.items()])
        for folder, files in RUNS.items():
            task, dataset, metric, nn = folder.split("_", 3)
            for epoch, trials in files.items():
                for trial in trials:
                    _save(connection, (task, dataset, metric, nn, epoch), dict(trial))
    connection.close()
    return file


@pytest.fixture
def config_for():
    """A configuration whose corpus is at the given path."""
    config = load_config()
    return lambda path: replace(config, corpus=replace(config.corpus, path=None if path is None else str(path)))


def _save(connection, key, trial):
    uid, accuracy, duration = trial.pop("uid"), trial.pop("accuracy"), trial.pop("duration")
    connection.executemany("INSERT INTO prm VALUES (?, ?, ?)", [(uid, *item) for item in trial.items()])
    task, dataset, metric, nn, epoch = key
    connection.execute("INSERT INTO stat VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                       (f"{uid}-{key}", accuracy, epoch, duration, task, dataset, nn, trial["transform"], metric, uid))
