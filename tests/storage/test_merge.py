from dataclasses import replace

import msgspec
import pytest
from click.testing import CliRunner

from inferometer.cli.merge import merge_command
from inferometer.errors import UsageError
from inferometer.records import Actual, Gpu, Machine
from inferometer.results.completeness import unfinished
from inferometer.results.summary import summarise
from inferometer.storage.find import find_runs, read_runs
from inferometer.storage.merge import merge, write
from inferometer.storage.run_directory import RunWriter, read_run
from simulated_runs import GPU_MACHINE, cell, record, rounds_of, run


def test_rounds_of_the_same_machine_count_on(tmp_path):
    first, second = run(rounds_of(cell(), [1.0, 2.0]), "a"), run(rounds_of(cell(), [3.0]), "b")
    merged = merge([first, second])
    ((path, info, count),) = write(merged, tmp_path / "out")
    stored = read_run(path)
    assert [r.round for r in stored.records] == [0, 1, 2] and count == 3
    assert info.protocol.rounds == 3 and stored.missing == ()
    together, apart = summarise([stored]).summaries, summarise([first, second]).summaries
    assert together[0].throughput == apart[0].throughput


def test_a_merged_run_lacks_nothing_though_its_cells_have_different_rounds(tmp_path):
    more, fewer = run(rounds_of(cell(), [1.0, 2.0]), "a"), run(rounds_of(cell("torch"), [3.0]), "b")
    ((path, info, _),) = write(merge([more, fewer]), tmp_path / "out")
    stored = read_run(path)
    assert stored.missing == () and len(stored.planned) == 3
    assert info.protocol.rounds == 2, "no cell has three"
    assert unfinished(summarise([stored])) == []


def test_the_jobs_of_a_batch_system_are_kept():
    def measured_in(job, path):
        made = run(rounds_of(cell(), [1.0, 2.0]), path)
        return replace(made, info=msgspec.structs.replace(made.info, jobs=({"system": "slurm", "job": job},)))

    ((info, _, _),) = merge([measured_in("1", "a"), measured_in("2", "b")])
    assert [job["job"] for job in info.jobs] == ["1", "2"]


def test_a_run_given_twice_counts_once():
    records = rounds_of(cell(), [1.0, 2.0])
    ((info, merged, _),) = merge([run(records, "a"), run(records, "b")])
    assert len(merged) == 2 and info.protocol.rounds == 2
    (summary,) = summarise([run(records, "a"), run(records, "b")]).summaries
    assert summary.rounds == 2


def test_a_merged_run_beside_those_that_it_is_made_of_changes_nothing(tmp_path):
    """Counted twice, its rounds would be runs that repeat exactly: intervals of no width, and a verdict that is firm."""
    for name, rates in (("a", [1.0, 2.0]), ("b", [3.0, 4.0])):
        records = [
            msgspec.structs.replace(r, log=f"logs/{r.round}.log", started_at=f"{name}{r.round}")
            for r in rounds_of(cell(), rates)
        ]
        RunWriter.create(tmp_path / name, run(records).info).append_all(records)
    parts = read_runs([tmp_path / "a", tmp_path / "b"])
    write(merge(parts), tmp_path / "m")
    write(merge(read_runs([tmp_path / "m"])), tmp_path / "mm")
    (apart,) = summarise(parts).summaries
    for names in (["a", "b", "m"], ["m", "a", "b"], ["b", "m", "mm"], ["a", "m"]):
        (summary,) = summarise(read_runs([tmp_path / name for name in names])).summaries
        assert (summary.rounds, summary.throughput) == (4, apart.throughput), names


def test_other_machines_models_and_versions_stay_apart():
    runs = [
        run([record(cell())], "a"),
        run([record(cell(), rate=2.0)], "b", machine=Machine(cpu="other")),
        run([record(cell(), rate=3.0)], "c", model_hash="zzz"),
        run([record(cell(), rate=4.0, actual=Actual(version="2.0"))], "d"),
    ]
    assert len(merge(runs)) == 4


def test_other_threads_and_another_share_of_the_processors_stay_apart():
    runs = [
        run([record(cell())], "a"),
        run([record(cell(), rate=2.0, actual=Actual(threads=1, version="1.0"))], "b"),
        run([record(cell(), rate=3.0)], "c", machine=msgspec.structs.replace(GPU_MACHINE, usable_cores=2)),
    ]
    assert len(merge(runs)) == 3


def written(path):
    stored = run([record(cell())])
    writer = RunWriter.create(path, stored.info)
    for item in stored.records:
        writer.append(item)


def test_folders_of_runs_are_found_once(tmp_path):
    written(tmp_path / "x" / "one")
    written(tmp_path / "two")
    assert [p.name for p in find_runs(tmp_path)] == ["two", "one"]
    assert len(read_runs([tmp_path, tmp_path / "two", tmp_path / "two" / "run.json"])) == 2
    for path in (tmp_path / "nowhere", tmp_path / "x" / "one" / "logs"):
        with pytest.raises(UsageError) as caught:
            read_runs([path])
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("view", ["nodes/a", "merged", "merged/b"])
@pytest.mark.parametrize("above", ["2026", "2026/lab", "2026/lab/x"])
def test_a_fleet_is_found_as_deep_as_a_run(tmp_path, view, above):
    lab = tmp_path / above
    written(lab / "plain")
    written(lab / "fleet" / view)
    (lab / "fleet" / "fleet.json").touch()
    found = find_runs(tmp_path / "2026")
    assert [path.relative_to(lab).as_posix() for path in found] == [f"fleet/{view}", "plain"]
    written(lab / "1" / "2" / "3" / "far")
    assert find_runs(tmp_path / "2026") == found


def test_command_writes_one_directory_a_machine(tmp_path):
    written(tmp_path / "a")
    written(tmp_path / "b")
    result = CliRunner().invoke(
        merge_command, [str(tmp_path), "--out", str(tmp_path / "m")], standalone_mode=False
    )
    assert result.exception is None and "1 round, 1 cell, 1 record" in result.output


def test_several_machines_get_a_directory_each_called_after_them(tmp_path):
    gpus = [
        Machine(cpu=f"CPU {n}", gpus=(Gpu(0, f"GPU-{n}", name),))
        for n, name in enumerate(("A2", "A2", "TITAN X (Pascal)"))
    ]
    merged = merge(
        [run([record(cell(), rate=number + 1.0)], f"r{number}", machine=m) for number, m in enumerate(gpus)]
    )
    assert [path.name for path, _, _ in write(merged, tmp_path)] == ["a2", "a2-2", "titan-x-pascal"]
    with pytest.raises(UsageError, match="already holds a run"):
        write(merged, tmp_path)
