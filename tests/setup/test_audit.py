"""The audit of the pinned versions against copies of advisory databases."""

import importlib.util
import json
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "requirements" / "audit.py"


@pytest.fixture
def audit(monkeypatch, tmp_path):
    """The script, with two pins of its own."""
    spec = importlib.util.spec_from_file_location("audit", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    pinned = tmp_path / "pinned.txt"
    pinned.write_text("Some_Package==1.5.0\ntorch==2.0.0+cpu --hash=sha256:0\n")
    monkeypatch.setattr(module, "FILES", [pinned])
    return module


def an_advisory(folder, package, events, versions=(), **more):
    file = folder / "vulns" / package / f"PYSEC-{len(list(folder.rglob('*.yaml')))}.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    ranges = [{"type": "ECOSYSTEM", "events": events}]
    file.write_text(json.dumps({"id": file.stem, "affected": [{"ranges": ranges, "versions": list(versions)}], **more}))


@pytest.mark.parametrize(("events", "hit"), [
    ([{"introduced": "0"}, {"fixed": "1.5.1"}], True), ([{"introduced": "0"}, {"fixed": "1.5.0"}], False),
    ([{"introduced": "0"}], True), ([{"introduced": "1.6"}], False),
    ([{"introduced": "0"}, {"last_affected": "1.5.0"}], True), ([{"introduced": "0"}, {"last_affected": "1.4"}], False),
    ([{"introduced": "0"}, {"fixed": "1.2"}, {"introduced": "1.4"}, {"fixed": "2"}], True)])
def test_a_pin_inside_a_range_is_found(events, hit, audit, tmp_path, capsys):
    an_advisory(tmp_path, "some-package", events)
    an_advisory(tmp_path, "unrelated", [{"introduced": "0"}])
    assert audit.main([str(tmp_path)]) == hit
    affected = "PYSEC-0" if hit else "none"
    assert capsys.readouterr().out == f"2 versions, 1 advisories about 1 of the packages; affected: {affected}\n"


def test_listed_versions_count_and_withdrawn_advisories_do_not(audit, tmp_path, capsys):
    an_advisory(tmp_path, "some-package", [{"introduced": "7"}], versions=["1.5.0"])
    an_advisory(tmp_path, "torch", [{"introduced": "0"}], withdrawn="2024-01-01T00:00:00Z")
    assert audit.main([str(tmp_path)]) == 1
    assert "2 advisories about 2 of the packages; affected: PYSEC-0\n" in capsys.readouterr().out


def test_the_other_database_is_read_too(audit, tmp_path, capsys):
    file = tmp_path / "insecure.json"
    file.write_text(json.dumps({"$meta": {}, "Torch": ["<2.0.0", "<=2.0.0,>1"], "none": ["<9"]}))
    assert audit.main([str(file)]) == 1
    assert capsys.readouterr().out.endswith("2 advisories about 1 of the packages; affected: Torch <=2.0.0,>1\n")
