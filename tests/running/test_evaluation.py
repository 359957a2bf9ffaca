"""The user's own data answered by real worker processes with a fake framework: what is stored, and how it can end."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from fakes import BACKENDS, fake_framework, fake_runner
from inferometer.errors import StoreError
from inferometer.models.datasets.shards import Shard, Shards, save
from inferometer.records import DatasetInfo
from inferometer.running.evaluation import Evaluator
from inferometer.running.progress.observer import SilentObserver
from inferometer.storage.evaluations import answers_file, read_arrays
from inferometer.storage.run_directory import read_run


@pytest.fixture(autouse=True)
def _backends(monkeypatch):
    monkeypatch.setenv("INFEROMETER_BACKENDS", str(BACKENDS))


def made_shards(folder, sizes=(5, 3), targets=False):
    rng = np.random.default_rng(3)
    parts, rows = [], []
    for number, size in enumerate(sizes):
        array = rng.normal(size=(size, 3)).astype("f")
        rows.append(array)
        wanted = save(folder / f"t{number}.npy", array * 2 + 2) if targets else None
        parts.append(Shard((save(folder / f"{number}.npy", array),), size, wanted))
    everything = np.concatenate(rows)
    info = DatasetInfo("d", hash="abcdef0123456789", rows=len(everything), classes=3, labels=("a", "b", "c"))
    labels = None if targets else np.argmax(everything, axis=1)
    if labels is not None:
        labels[0] = (labels[0] + 1) % 3  # one that no right model gets
    return Shards(info, tuple(parts), labels)


def evaluated(folder, *frameworks, shards=None, measure=True, create=True, **kwargs):
    runner = fake_runner(folder, frameworks, create=create, **kwargs)
    if measure:
        runner.run(read_run(runner.writer.path).missing)
    shards = shards or made_shards(folder)
    stored = read_run(runner.writer.path)
    Evaluator(runner=runner, shards=shards, form=lambda cell: "fake").run(stored)
    return read_run(runner.writer.path)


def test_every_row_is_evaluated_once_at_its_largest_batch_size(tmp_path):
    run = evaluated(tmp_path, fake_framework(), fake_framework("other"))
    assert [e.cell.framework for e in run.evaluations] == ["fake", "other"]
    first = run.evaluations[0]
    assert (first.status, first.cause, first.cell.batch_size) == ("ok", "", 4)
    assert (first.rows, first.top1, first.top5, first.not_finite) == (8, 7, None, 0)
    assert (first.dataset.hash, first.dataset.labels) == ("abcdef0123456789", ())
    assert first.parity.passed and first.actual.version == "1.0"
    answers = read_arrays(run.path, first.file, 8)["first"]
    labels = read_arrays(run.path, answers_file(first.dataset), 8)["y"]
    assert np.count_nonzero(answers[:, 0] == labels) == 7


class Told(SilentObserver):
    def __init__(self):
        self.lines = []

    def preparing(self, text):
        self.lines.append(text)


def test_it_is_told_which_rows_are_being_answered(tmp_path):
    observer = Told()
    runner = fake_runner(tmp_path, [fake_framework()], observer=observer)
    runner.run(read_run(runner.writer.path).missing)
    for sizes in ((5, 3), (6,)):
        shards = made_shards(tmp_path, sizes)
        observer.lines.clear()
        name = f"{shards.info.rows}" * 16
        shards = replace(shards, info=msgspec.structs.replace(shards.info, hash=name))
        Evaluator(runner=runner, shards=shards, form=lambda cell: "fake").run(read_run(runner.writer.path))
        row = "accuracy of fake fp32 on cpu: answering"
        whole = [f"{row} rows 1 to 5 of 8", f"{row} rows 6 to 8 of 8"]
        assert observer.lines == (whole if len(sizes) == 2 else [f"{row} 6 rows"])


def test_a_row_that_failed_is_not_asked(tmp_path):
    run = evaluated(
        tmp_path, fake_framework(behaviour="raise", at=4), fake_framework("bad", behaviour="raise")
    )
    assert [(e.cell.framework, e.cell.batch_size) for e in run.evaluations] == [("fake", 2)]


def test_values_have_errors(tmp_path):
    run = evaluated(tmp_path, fake_framework(), shards=made_shards(tmp_path, targets=True))
    (found,) = run.evaluations
    assert found.squared_error == pytest.approx(1.0, rel=1e-5)
    assert (found.top1, found.rows) == (None, 8)
    assert 0 < found.cosine < 1


def test_a_row_without_fp32_has_one_besides(tmp_path):
    runner = fake_runner(tmp_path, [fake_framework(precision="bf16")], precision="bf16")
    runner.run(read_run(runner.writer.path).missing)
    cell = msgspec.structs.replace(runner.plan.cells[0], precision="fp32")
    evaluator = Evaluator(
        runner=runner, shards=made_shards(tmp_path), form=lambda cell: "fake", reference=cell
    )
    evaluator.run(read_run(runner.writer.path))
    found = read_run(runner.writer.path).evaluations
    # this fake calls itself bf16 whatever it is asked, so that the fp32 row fails, with its cause
    assert [(e.cell.precision, e.beside, e.status) for e in found] == [
        ("fp32", True, "wrong-precision"),
        ("bf16", False, "ok"),
    ]
    assert found[0].cell.batch_size == 4 and "fp32" in found[0].cause


def test_what_is_there_is_not_evaluated_again(tmp_path):
    shards = made_shards(tmp_path)
    run = evaluated(tmp_path, fake_framework(), shards=shards)
    again = evaluated(tmp_path, fake_framework(), shards=shards, measure=False, create=False)
    assert again.evaluations == run.evaluations
    other = msgspec.structs.replace(shards.info, hash="0123")
    more = evaluated(
        tmp_path,
        fake_framework(),
        shards=Shards(other, shards.parts, shards.labels),
        measure=False,
        create=False,
    )
    assert [e.dataset.hash for e in more.evaluations] == ["abcdef0123456789", "0123"]


def test_ctrl_c_keeps_what_is_there_and_the_run_goes_on(tmp_path, monkeypatch):
    shards = made_shards(tmp_path)

    def stop(client, cell, request):
        if cell.framework == "other":
            raise KeyboardInterrupt
        return whole(client, cell, request)

    from inferometer.running.processes.worker_client import WorkerClient

    whole = WorkerClient.evaluate
    monkeypatch.setattr(WorkerClient, "evaluate", stop)
    both = (fake_framework(), fake_framework("other"))
    with pytest.raises(KeyboardInterrupt):
        evaluated(tmp_path, *both, shards=shards)
    found = read_run(tmp_path / "run").evaluations
    assert [(e.cell.framework, e.status) for e in found] == [("fake", "ok"), ("other", "interrupted")]
    monkeypatch.undo()
    monkeypatch.setenv("INFEROMETER_BACKENDS", str(BACKENDS))
    again = evaluated(tmp_path, *both, shards=shards, measure=False, create=False)
    assert [e.status for e in again.evaluations] == ["ok", "interrupted", "ok"]


def test_a_worker_that_dies_is_a_record_with_its_cause(tmp_path):
    shards = made_shards(tmp_path)
    (tmp_path / "1.npy").write_bytes(b"no array")
    (found,) = evaluated(tmp_path, fake_framework(), shards=shards).evaluations
    assert (found.status, found.rows, found.file) == ("failed", 0, "")
    assert "\n" not in found.cause and found.cause


def test_files_that_are_damaged_are_one_line(tmp_path):
    run = evaluated(tmp_path, fake_framework())
    name = run.evaluations[0].file
    with pytest.raises(StoreError, match="has not the 9 rows"):
        read_arrays(run.path, name, 9)
    (run.path / name).write_bytes(b"PK")
    with pytest.raises(StoreError, match=f"cannot read .*{name}"):
        read_arrays(run.path, name, 8)
    lines = (run.path / "accuracy.jsonl").read_text()
    (run.path / "accuracy.jsonl").write_text("{}\n" + lines)
    with pytest.raises(StoreError, match=r"accuracy\.jsonl:1: damaged evaluation"):
        read_run(run.path)
    (run.path / "accuracy.jsonl").write_text(lines + lines[:40])
    assert read_run(run.path).evaluations == run.evaluations  # a torn line
