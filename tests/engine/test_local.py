"""Jobs as processes: what they print, how they end, and that none outlives its parent."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from kronosforge.engine.base import Job, Outcome
from kronosforge.engine.local import LocalEngine, Slot, cores, slots, visible_gpus
from tests.engine.jobs import PLACE, ROOT, job
from tests.processes import alive, gone, until


def run_jobs(
    folder: Path, *jobs: Job, places: int = 1, **variables: str
) -> tuple[list[Outcome], list[tuple[str, str]]]:
    """The outcomes, and each line with the name of its job."""
    lines: list[tuple[str, str]] = []
    engine = LocalEngine([Slot({**PLACE, **variables})] * places, folder)
    return engine.run(jobs, folder / "logs", lambda name, line: lines.append((name, line))), lines


def written(path: Path) -> int:
    """The process that wrote its number into the file."""
    assert until(lambda: path.exists() and path.read_text())
    return int(path.read_text())


def test_lines_are_passed_on_and_kept_but_for_those_of_progress(tmp_path: Path) -> None:
    (outcome,), lines = run_jobs(tmp_path, job("a", "prints", lines=["é 中", "~ live"]))
    assert lines == [("a", "é 中"), ("a", "~ live")]
    assert outcome.log.read_text("utf-8") == "é 中\n"
    assert (outcome.exit_code, outcome.error, outcome.log) == (0, "", tmp_path / "logs" / "a.log")


@pytest.mark.parametrize(
    ("jobs", "code", "error"),
    [
        (job("a", "raises", message="No bars", reported=True), 4, "No bars"),
        (job("a", "raises", message="what", reported=False), 1, "internal error, please report it: ValueError: what"),
        (job("a", "prints", lines=["Error: first", "later"], code=5), 5, "first"),
        (job("a", "prints", lines=["Fatal", ""], code=7), 7, "Fatal"),
        (job("a", "prints", lines=["Error: only a word of a job that succeeds"]), 0, ""),
        (job("a", "is_killed"), 137, "killed by SIGKILL"),
    ],
)
def test_an_outcome_says_why_a_job_failed(tmp_path: Path, jobs: Job, code: int, error: str) -> None:
    (outcome,), _ = run_jobs(tmp_path, jobs)
    assert outcome.exit_code == code
    assert outcome.error.startswith(error)
    assert bool(outcome.error) == bool(error)


def test_one_that_fails_stops_no_other(tmp_path: Path) -> None:
    outcomes, _ = run_jobs(tmp_path, job("a", "is_killed"), job("b", "prints", lines=["b"]), job("c", "is_killed"))
    assert [(outcome.name, outcome.exit_code) for outcome in outcomes] == [("a", 137), ("b", 0), ("c", 137)]


def test_a_process_that_cannot_start_is_an_outcome(tmp_path: Path) -> None:
    """It ends without reading its job, which is larger than a pipe."""
    (outcome,), _ = run_jobs(tmp_path, job("a", "prints", lines=["x" * 1_000_000]), PYTHONHOME=str(tmp_path))
    assert outcome.exit_code == 1
    assert outcome.error


def test_jobs_share_the_machine(tmp_path: Path) -> None:
    jobs = [job(name, "shows_where_it_runs") for name in "abc"]
    begin = time.monotonic()
    outcomes, lines = run_jobs(tmp_path, *jobs, places=3, OMP_NUM_THREADS="7")
    assert {line for _, line in lines} == {f"{tmp_path} 7"}
    assert time.monotonic() - begin < sum(outcome.seconds for outcome in outcomes)


@pytest.mark.parametrize("count", [2, 10_000])
def test_slots_without_a_gpu_are_equal_shares_of_the_cores(count: int) -> None:
    jobs = [job(str(number), "prints", lines=[])._replace(gpu="any") for number in range(count)]
    places = slots(jobs, visible_gpus(0), at_once=count)
    assert len(places) == min(count, cores())
    assert {slot.gpu for slot in places} == {None}
    assert {int(slot.environ["OMP_NUM_THREADS"]) for slot in places} == {max(1, cores() // count)}


@pytest.mark.parametrize(
    ("variable", "count", "names"),
    [
        (None, 2, ["0", "1"]),
        ("2,3", 2, ["2", "3"]),
        (" GPU-8a1f, GPU-77c0 ", 2, ["GPU-8a1f", "GPU-77c0"]),
        ("2,3,-1,4", 2, ["2", "3"]),  # CUDA reads the list up to the first id that does not exist
        ("", 0, []),
    ],
)
def test_the_visible_gpus_are_those_of_the_users_list(
    monkeypatch: pytest.MonkeyPatch, variable: str | None, count: int, names: list[str]
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if variable is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", variable)
    assert visible_gpus(count) == names


def test_each_job_gets_the_gpu_that_it_asks_for_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that names a GPU counts it among all visible ones, so it sees them all, as a job for a GPU that is missing."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,GPU-8a1f")
    for name, value in PLACE.items():
        monkeypatch.setenv(name, value)
    asked = {"any 1": "any", "second": 1, "any 2": "any", "cpu": None, "seventh": 7}
    jobs = [job(name, "shows_its_gpus")._replace(gpu=gpu) for name, gpu in asked.items()]  # type: ignore[arg-type]
    engine = LocalEngine(slots(jobs, visible_gpus(2), at_once=5), tmp_path)
    shown: dict[str, str] = {}
    engine.run(jobs, tmp_path / "logs", shown.__setitem__)
    assert {shown.pop("any 1"), shown.pop("any 2")} <= {"2", "GPU-8a1f"}
    assert shown == {"second": "2,GPU-8a1f", "cpu": "", "seventh": "2,GPU-8a1f"}


def test_jobs_of_one_gpu_run_one_after_the_other_and_those_of_the_cores_meanwhile(tmp_path: Path) -> None:
    places = [Slot(PLACE, 0), Slot(PLACE)]
    jobs = [job(name, "shows_its_time")._replace(gpu=gpu) for name, gpu in {"a": 0, "b": 0, "c": None}.items()]
    with pytest.MonkeyPatch.context() as patch:
        for name, value in PLACE.items():
            patch.setenv(name, value)
        times: dict[str, list[float]] = {}
        LocalEngine(places, tmp_path).run(
            jobs, tmp_path / "logs", lambda name, line: times.setdefault(name, []).append(float(line))
        )
    assert times["a"][1] <= times["b"][0]
    assert times["c"][0] < times["b"][0]


def test_a_job_finds_stdin_empty_and_no_module_in_its_folder(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('a file of the workspace')")
    (outcome,), lines = run_jobs(tmp_path, job("a", "reads_stdin"))
    assert (outcome.exit_code, lines) == (0, [("a", "''")])


def test_cancelled_jobs_save_and_no_further_one_starts(tmp_path: Path) -> None:
    engine = LocalEngine([Slot(PLACE)], tmp_path)
    jobs = [job(name, "waits", path=str(tmp_path / name)) for name in "ab"]

    def cancel() -> None:
        written(tmp_path / "a")
        engine.cancel()

    thread = threading.Thread(target=cancel)
    thread.start()
    outcomes = engine.run(jobs, tmp_path / "logs", lambda name, line: None)
    thread.join()
    assert [outcome.exit_code for outcome in outcomes] == [130, 130]
    assert outcomes[0].log.read_text().startswith("saved\n")
    assert outcomes[1].error == "not started"
    assert not (tmp_path / "b").exists()


def start(folder: Path, function: str) -> subprocess.Popen[str]:
    """A program that runs one job."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.engine.jobs", str(folder), function],
        cwd=ROOT, env={**os.environ, **PLACE}, stdout=subprocess.PIPE, text=True, start_new_session=True,
        preexec_fn=_heed_signals,  # noqa: PLW1509
    )  # fmt: skip


def _heed_signals() -> None:
    """Undo what nohup and a shell's background do, which ignore them."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_lets_the_job_save_once(tmp_path: Path, number: signal.Signals) -> None:
    with start(tmp_path, "waits") as parent:
        written(tmp_path / "pid")
        os.killpg(parent.pid, number)  # as a terminal does: the job must not hear it twice
        out, _ = parent.communicate(timeout=30)
    assert "a saved" in out
    assert out.count("\n") == 2


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
@pytest.mark.parametrize("function", ["waits", "waits_unwatched_by_the_kernel", "waits_with_the_lock_of_python"])
def test_killed_it_takes_its_job_with_it(tmp_path: Path, function: str) -> None:
    with start(tmp_path, function) as parent:
        child = written(tmp_path / "pid")
        assert alive(child)
        parent.kill()
        assert gone(child)


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG")
def test_a_process_whose_parent_is_gone_already_does_not_begin(tmp_path: Path) -> None:
    stranger = os.getppid()
    work = json.dumps({"function": "tests.engine.jobs:prints", "data": {"lines": ["begun"]}})
    done = subprocess.run(
        [sys.executable, "-m", "kronosforge.engine.child", str(stranger)],
        env={**os.environ, **PLACE}, input=work + "\n", stdout=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
