"""A run as one file: whole for keeping, without names for publishing."""

import json
import tarfile

import msgspec
import pytest

from inferometer.cli import invoke
from inferometer.energy.meters.built_in import mqtt, redfish
from inferometer.records import Cell, Energy, Gpu, Machine, ModelInfo, Record, RunInfo, Skip
from inferometer.records.energy import DeviceEnergy
from inferometer.redaction import redacted, without_user
from inferometer.storage.run_directory import RunWriter, read_run

HOST, USER, CARD = "gammaray.lab.example.org", "mcurie", "GPU-0b1c2d3e-1111-2222-3333-444455556666"
MODEL = f"/home/{USER}/secret project/net v2.onnx"
CELL = Cell("net v2", "torch", "fp32", 8, "cuda:0")


@pytest.fixture
def run(tmp_path):
    """A run whose facts and records are full of names."""
    info = RunInfo(
        command=f"inferometer run '{MODEL}' --python onnxrt=../../envs/x/bin/python --out results/{USER}/run1 --image hf:google/vit",
        model=ModelInfo("net v2", source=MODEL),
        machine=Machine(hostname=HOST, cpu="Xeon", gpus=(Gpu(0, CARD, "NVIDIA A2"),)),
        cells=(CELL,),
        skips=(
            Skip(
                CELL, f"cannot load {MODEL}: bad; see /scratch/{USER}/x.log (on gammaray), mailed to {USER}"
            ),
        ),
        meters=(
            {"meter": "mqtt", "reason": "no broker", "device": "mqtt://rack7.lab.example.org:1883/EMA"},
            {"meter": "mqtt", "reason": "no broker at rack8.lab.example.org:1883/EMA: timed out"},
            {"meter": "redfish", "reason": "bmc7.lab.example.org answers with 401"},
            {"meter": "redfish", "uid": "redfish://bmc7.lab.example.org:443/redfish/v1/Chassis/1"},
        ),
        jobs=({"system": "slurm", "job": "4711", "account": "p-radium", "nodes": "nid[001-002]"},),
        request={"model": {"model": MODEL}, "meters": ["mqtt://rack7.lab.example.org:1883/EMA"]},
    )
    writer = RunWriter.create(tmp_path / f"{USER}s-run", info)
    device = DeviceEnergy(f"nvml:{CARD}", "NVIDIA A2", "gpu", "nvml", "counter", seconds=1.0, energy_j=2.0)
    writer.append(
        Record(
            CELL,
            0,
            "failed",
            cause=f"cannot open {MODEL}.data",
            energy=Energy((device,), primary=f"nvml:{CARD}"),
        )
    )
    (writer.path / "logs" / "0.log").write_text(f"opened {MODEL} through http://{USER}:pw@proxy/\n")
    (writer.path / "dataset-shards").mkdir()
    (writer.path / "dataset-shards" / "0.npy").write_bytes(b"a photo")  # as a killed run leaves them
    (writer.path / ".lock").touch()
    (writer.path / ".summaries.parquet").touch()
    return writer.path


def unpacked(archive, folder):
    with tarfile.open(archive) as file:
        file.extractall(folder, filter="data")
        return {member.name: member for member in file.getmembers()}


def test_an_anonymous_archive_names_nobody_and_reads_back(run, tmp_path, capsys):
    out = tmp_path / "published.tar.gz"
    assert invoke(["pack", str(run), "--anonymous", "--out", str(out)]) == 0
    members = unpacked(out, tmp_path / "out")
    assert sorted(members) == ["run/cells.jsonl", "run/run.json"]
    assert {(m.uname, m.gname, m.uid, m.mtime) for m in members.values()} == {("", "", 0, 0)}
    text = "".join((tmp_path / "out" / name).read_text() for name in members)
    for name in (
        HOST,
        "gammaray",
        "example.org",
        USER,
        CARD,
        "secret project",
        "/home",
        "/scratch",
        "../",
        "results",
        "4711",
        "p-radium",
        "nid[",
    ):
        assert name not in text, name
    published, kept = read_run(tmp_path / "out" / "run"), read_run(run)
    assert published.info.cells == kept.info.cells and published.records[0].cell == CELL
    assert published.info.command == (
        "inferometer run 'net v2.onnx' --python onnxrt=python --out run1 --image hf:google/vit"
    )
    assert (
        published.info.skips[0].reason == "cannot load net v2.onnx: bad; see x.log (on host), mailed to user"
    )
    assert (
        published.records[0].energy.primary == f"nvml:{published.info.machine.gpus[0].uuid}" == "nvml:GPU-0"
    )
    assert invoke(["show", str(tmp_path / "out" / "run")]) == 0


def test_a_cell_keeps_its_name_whatever_the_host_is_called(run, tmp_path):
    info = msgspec.structs.replace(read_run(run).info, machine=Machine(hostname="torch"))
    RunWriter(run).write_info(info)
    invoke(["pack", str(run), "--anonymous", "--out", str(tmp_path / "a.tar.gz")])
    unpacked(tmp_path / "a.tar.gz", tmp_path / "out")
    published = read_run(tmp_path / "out" / "run")
    assert published.info.cells == (CELL,) and published.info.machine.hostname == ""


def test_a_whole_archive_is_the_run_without_passwords(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert invoke(["pack", str(run)]) == 0
    members = unpacked(tmp_path / f"{run.name}.tar.gz", tmp_path / "out")
    assert sorted(members) == [f"{run.name}/{name}" for name in ("cells.jsonl", "logs/0.log", "run.json")]
    assert read_run(tmp_path / "out" / run.name).info == read_run(run).info
    assert "http://***@proxy/" in (tmp_path / "out" / run.name / "logs" / "0.log").read_text()
    assert invoke(["pack", str(run)]) == 2, "it would replace what is there"


def test_a_damaged_run_is_not_packed(run, tmp_path, capsys):
    (run / "cells.jsonl").write_bytes(b"{\n")
    assert invoke(["pack", str(run), "--out", str(tmp_path / "a.tar.gz")]) == 1
    assert "damaged record" in capsys.readouterr().err and not (tmp_path / "a.tar.gz").exists()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("mqtt://u:p@lab:1883/EMA", "mqtt://***@lab:1883/EMA"),
        ("see https://token@host/x and http://a:b@c", "see https://***@host/x and http://***@c"),
        ("mqtt://u:p/q@r@lab", "mqtt://***@lab"),
        ("mqtt://lab:1883/EMA mail a@b", "mqtt://lab:1883/EMA mail a@b"),
        ("https://host/x@2", "https://host/x@2"),
    ],
)
def test_passwords_in_addresses_are_hidden(text, shown):
    assert redacted(text) == shown
    assert redacted(shown) == shown


@pytest.mark.parametrize("password", ["p'w", 'p"w', "p\\w", "p<w>", "p/w@x", "p?w", ""])
def test_an_address_is_told_without_its_user_whatever_the_password_holds(password):
    assert without_user(f"redfish://admin:{password}@bmc:8443") == "redfish://***@bmc:8443"
    assert without_user(f"{password}@bmc") == "***@bmc"
    assert without_user("redfish://bmc:8443") == "redfish://bmc:8443"
    for name, finder in (("INFEROMETER_MQTT", mqtt.find), ("INFEROMETER_REDFISH", redfish.find)):
        scheme = name.rpartition("_")[2].lower()
        (absence,) = finder({name: f"{scheme}://admin:{password}@bmc:8443"}).absences
        assert absence.device == f"{scheme}://***@bmc:8443"
        assert not password or password not in absence.line


def test_no_password_is_stored_or_read(run):
    writer = RunWriter(run)
    stored = read_run(run)
    secret = "mqtt://u:hunter2@lab"
    writer.write_info(msgspec.structs.replace(stored.info, notes=(secret,), command=f"x --meter {secret}"))
    writer.append(Record(CELL, 1, "failed", cause=f"no {secret}"))
    assert "hunter2" not in (run / "run.json").read_text() + (run / "cells.jsonl").read_text()
    text = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**text, "notes": [secret]}))  # as version 0.1 did
    assert read_run(run).info.notes == ("mqtt://***@lab",)
