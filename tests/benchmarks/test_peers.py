"""Peers beside Chorus: what a turn counts, who runs when, what the tables say. No peer is needed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from chorus.benchmarks.peers import surroundings, table
from chorus.benchmarks.peers.contest import JAXMARL, PEERS, Entry, Pair, chorus, entries, order, pairs, races
from chorus.benchmarks.peers.scripts.work import Meter, Work, processor_seconds
from chorus.benchmarks.peers.surroundings import Unavailable, last_line, requirements, script
from chorus.benchmarks.peers.turns import Answer, command, rows, take


class Clock:
    """A clock and a processor's account that a test moves on by hand."""

    def __init__(self, now: float) -> None:
        self.now = now
        self.spent = 0.0

    def pass_by(self, seconds: float, spent: float = 0.0) -> None:
        self.now += seconds
        self.spent += spent


def meter(work: Work, clock: Clock) -> Meter:
    return Meter(work, clock=lambda: clock.now, spent=lambda: clock.spent)


def test_a_rate_counts_only_updates_after_the_warm_up() -> None:
    clock = Clock(107.0)
    counted = meter(Work(seconds=2.0, warm_up=1.0, began=100.0), clock)
    assert not counted.learned(5_000)  # compiled meanwhile
    for _ in range(2):
        clock.pass_by(0.6, 9.0)
        assert not counted.learned(10)
    clock.pass_by(1.5, 2.0)
    assert not counted.learned(300)
    clock.pass_by(1.0, 1.0)
    assert counted.learned(200)
    told = counted.answer()
    assert told["start_seconds"] == pytest.approx(7.0)
    assert told["agent_steps_per_second"] == pytest.approx(500 / 2.5)
    assert told["cores"] == pytest.approx(3.0 / 2.5)
    assert told["agent_steps_per_core_second"] == pytest.approx(500 / 3.0)


def test_a_goal_is_reached_by_the_mean_of_enough_last_episodes_not_by_one_lucky_batch() -> None:
    clock = Clock(100.0)
    racing = meter(Work(goal=-57.0, limit=60.0, began=98.0), clock)
    for mean in (-60.0, -20.0, -60.0, -60.0, -60.0):
        clock.pass_by(1.0)
        assert racing.learned(100, 128, mean) is (mean == -60.0 and clock.now == 104.0)
        if clock.now == 104.0:
            break
    told = racing.answer()
    assert told["mean_return"] == pytest.approx(-50.0)
    assert told["seconds_with_start"] == pytest.approx(6.0)
    assert told["seconds_without_start"] == pytest.approx(3.0)
    assert told["agent_steps"] == 400


def test_a_goal_that_is_not_reached_in_time_has_no_seconds() -> None:
    clock = Clock(10.0)
    racing = meter(Work(goal=-57.0, limit=3.0, began=9.0), clock)
    assert not racing.learned(100, 512, -80.0)
    clock.pass_by(2.5)
    assert racing.learned(100, 512, -70.0)
    assert racing.answer()["seconds_with_start"] is None
    assert racing.answer()["mean_return"] == pytest.approx(-70.0)


def test_a_rate_of_a_single_update_is_refused() -> None:
    counted = meter(Work(began=1.0), Clock(2.0))
    with pytest.raises(RuntimeError, match="no update"):
        counted.answer()
    counted.learned(5)
    with pytest.raises(RuntimeError, match="no two updates"):
        counted.answer()


def test_processor_time_counts_what_a_process_has_started() -> None:
    waste = "import time\nwhile time.process_time() < 0.3: pass\nprint(flush=True)\ninput()"
    child = subprocess.Popen([sys.executable, "-c", waste], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    alone = processor_seconds(child.pid)
    assert 0.25 <= alone < processor_seconds(1) + 10
    child.communicate(b"\n")
    assert processor_seconds(child.pid) == 0.0


def test_a_script_is_asked_what_its_work_says(tmp_path: Path) -> None:
    work = Work(episodes=512, epochs=4, goal=-57.0, seed=3, seconds=1.5)
    asking = "from work import asked\nimport dataclasses, json\nprint(json.dumps(dataclasses.asdict(asked())))"
    (tmp_path / "ask.py").write_text(asking)
    (tmp_path / "work.py").symlink_to(script("work"))
    words = [sys.executable, str(tmp_path / "ask.py"), *work.words(), "--began=7.0"]
    heard = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
    assert Work(**heard) == Work(**(vars(work) | {"began": 7.0}))


def test_every_peer_has_a_script_and_exact_versions() -> None:
    assert PEERS
    for peer in PEERS:
        assert script(peer.peer).exists()
        lines = requirements(peer.peer).read_text().split()
        assert lines
        assert all("==" in line for line in lines), peer


def test_a_round_takes_each_once_and_every_second_one_goes_backwards() -> None:
    contest = pairs(["jaxmarl_ippo"], 10.0)
    forwards = order(contest, 0)
    assert len(forwards) == len(set(forwards)) == len(entries(contest))
    assert order(contest, 1) == forwards[::-1]
    assert order(contest, 2) == forwards
    for pair in contest:
        assert {pair.peer, pair.chorus} <= set(forwards)
        assert (pair.peer.work.episodes, pair.peer.work.epochs) == (pair.chorus.work.episodes, pair.chorus.work.epochs)
    assert {(pair.peer.work.episodes, pair.peer.work.epochs) for pair in contest} == {
        (128, 1),
        (128, 4),
        (512, 1),
        (512, 4),
    }


def test_chorus_learns_from_the_batch_that_the_peer_learns_from(tmp_path: Path) -> None:
    for pair in pairs([peer.peer for peer in PEERS], 10.0):
        words = command(pair.chorus, tmp_path)
        said = dict(word.split("=", 1) for word in words if word.startswith(("task.", "update.")))
        assert int(said["task.episodes"]) * int(said["update.tasks"]) == pair.peer.work.episodes
        assert int(said["update.passes"]) == pair.peer.work.epochs


def test_a_race_is_run_by_the_configuration_as_it_is(tmp_path: Path) -> None:
    for pair in races(["jaxmarl_ippo"], 60.0):
        assert "--set" not in command(pair.chorus, tmp_path)
        assert f"--seed {pair.chorus.work.seed}" in " ".join(command(pair.chorus, tmp_path))


def rate(steps: float, cores: float = 1.0, at: float = 0.0) -> Answer:
    return {"agent_steps_per_second": steps, "cores": cores, "agent_steps_per_core_second": steps / cores, "at": at}


def test_a_ratio_is_that_of_neighbouring_turns() -> None:
    work = Work()
    pair = Pair(Entry(JAXMARL, work), Entry(chorus("spread", "here"), work))
    found = {
        pair.peer: [rate(100, at=10), rate(10, at=20), rate(50, at=30)],
        pair.chorus: [rate(150, 2, at=31), rate(200, 2, at=9), rate(10, 2, at=21)],
    }
    (row,) = table.rates([pair], found).rows
    assert row["ratio"] == pytest.approx(2.0)  # of 2, 1, 3
    assert row["core_ratio"] == pytest.approx(1.0)
    assert (row["peer_rate"], row["chorus_rate"], row["turns"]) == (50, 150, 3)


def test_a_race_says_how_many_seeds_arrived() -> None:
    pair = races(["jaxmarl_ippo"], 60.0)[0]
    there = {"seconds_with_start": 9.0, "seconds_without_start": 5.0, "agent_steps": 1000}
    late = dict.fromkeys(there, None) | {"agent_steps": 9}
    peer, own = table.times([pair], {pair.peer: [there, late], pair.chorus: [there]}).rows
    assert (peer["reached"], peer["with_start"], own["reached"]) == ("1 of 2", 9.0, "1 of 1")


def test_the_page_keeps_all_but_what_is_between_the_marks(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n")
    table.put(page, table.text([], {"RLlib": "does not install: no wheel"}, "Measured."))
    assert page.read_text() == (
        f"before\n{table.BEGIN}\n\nMeasured.\n\nNot measured:\n\n- **RLlib** does not install: no wheel\n\n"
        f"{table.END}\nafter\n"
    )
    page.write_text("nothing\n")
    with pytest.raises(ValueError, match="no lines"):
        table.put(page, "new")


def test_the_real_page_has_the_marks() -> None:
    page = (Path(__file__).parents[2] / "docs" / "benchmarks.md").read_text()
    assert page.index(table.BEGIN) < page.index(table.END)


def test_a_peer_that_fails_says_why_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken.py").write_text("raise SystemExit('no such thing here')")
    monkeypatch.setattr(surroundings, "SCRIPTS", tmp_path)
    monkeypatch.setattr("chorus.benchmarks.peers.turns.interpreter", lambda *_: Path(sys.executable))
    broken = Entry(type(JAXMARL)("Broken", "broken"), Work(seconds=1.0))
    with pytest.raises(Unavailable, match="does not run: no such thing here"):
        take(broken, tmp_path)
    assert last_line("a\n b \n\n") == "b"


def test_a_peer_answers_by_its_last_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "good.py").write_text('print("chatter")\nprint(\'{"agent_steps_per_second": 3.0}\')')
    monkeypatch.setattr(surroundings, "SCRIPTS", tmp_path)
    monkeypatch.setattr("chorus.benchmarks.peers.turns.interpreter", lambda *_: Path(sys.executable))
    assert take(Entry(type(JAXMARL)("Good", "good"), Work()), tmp_path) == {"agent_steps_per_second": 3.0}


def test_updates_are_read_as_they_are_recorded(tmp_path: Path) -> None:
    record = tmp_path / "metrics.csv"
    head = "update,env_steps,agent_steps,mixed_return,episode_length,learning_rate"
    record.write_text(f"{head}\n0,3200,9600,-80.5,25.0,0.005\n0,3200,9600,-70.0,25.0,\n1,6400,19200,-60.0,25.0,0.005\n")
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    found = rows(record, process)
    assert [next(found), next(found)] == [(9600, 128, -80.5), (9600, 128, -60.0)]
    process.communicate(b"\n")
    assert list(found) == []
