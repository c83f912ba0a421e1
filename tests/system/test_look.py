"""Looking at runs: the page, reports, sweeps, evaluations side by side and against one another."""

import gzip
import http.client
import json
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.system.processes import QUICK, Chorus, rows, until

SMALL = ("--updates", "6", "--actors", "1", "--set", "evaluate.every=3", "--set", "evaluate.episodes=8")
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def finished(shared: Chorus) -> Path:
    return shared.train(HOSTILE.replace("/", ""), *SMALL)


@pytest.fixture(scope="module")
def other(shared: Chorus) -> Path:
    return shared.train("other", *SMALL, "--seed", "1")


def ask(address: str, path: str, **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
    line = http.client.HTTPConnection(address.split("/")[2], timeout=30)
    line.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    answer = line.getresponse()
    return answer, answer.read()


def page_of(process: Any) -> str:
    line = until(lambda: next((line for line in process.out.read_text().splitlines() if "http" in line), None))
    return str(next(word for word in line.split() if word.startswith("http")))


def test_a_run_at_work_serves_its_page_and_its_data(chorus: Chorus) -> None:
    training = chorus.start("train", "--out", chorus.folder / "run", *QUICK, "--updates", "100000", "--actors", "1")
    address = page_of(training)
    until(lambda: len(rows(chorus.folder / "run")) > 3)
    answer, page = ask(address, "/")
    assert answer.status == 200
    assert "default-src 'none'" in (answer.getheader("Content-Security-Policy") or "")
    assert b"http://" not in page.split(b"<script")[0], "something is loaded from elsewhere"

    def told() -> Any:
        run = json.loads(gzip.decompress(ask(address, "/data.json")[1]))["run"]
        return run if run.get("actors") and run["update"] else None

    run = until(told)
    assert run["state"] == "training"
    assert run["actors"][0][0] == "actor-0"
    assert run["accounts"]["issued"] == sum(
        run["accounts"][name] for name in ("completed", "repeated", "failed", "requeued", "outstanding")
    )
    answer, _ = ask(address, "/data.json")
    again, _ = ask(address, "/data.json", If_None_Match=answer.getheader("ETag") or "")
    assert again.status in (200, 304)
    assert ask(address, "/", Host="rebound.example")[0].status == 421
    assert ask(address, "/film/../config.yaml")[0].status == 404
    training.send(signal.SIGINT)
    assert "stopping" in training.succeeded()


def test_no_page_where_none_is_wanted(chorus: Chorus) -> None:
    assert "http" not in chorus.run("train", "--no-pictures", "--no-page", "--out", chorus.folder / "run", *SMALL)


def test_the_page_asks_for_the_token_as_a_password(chorus: Chorus) -> None:
    token = "a-word-that-both-know"
    learner, _ = chorus.learner_with({"CHORUS_TOKEN": token}, "run", "--metrics-port", "0")
    address = f"http://127.0.0.1:{learner.event('learner listens')['metrics_port']}/"
    for header in ({}, {"Authorization": "Basic d3Jvbmc6d3Jvbmc="}, {"Authorization": "Basic !!"}):
        answer, _ = ask(address, "/data.json", **header)
        assert answer.status == 401
        assert "Basic" in str(answer.headers)
    assert ask(address, "/", Authorization="Basic YW55Ym9keTphLXdvcmQtdGhhdC1ib3RoLWtub3c=")[0].status == 200
    assert ask(address, "/data.json", Authorization=f"Bearer {token}")[0].status == 200


def test_a_finished_run_is_viewed_from_its_folder(chorus: Chorus, finished: Path) -> None:
    viewing = chorus.start("view", finished)
    address = page_of(viewing)
    run = json.loads(gzip.decompress(ask(address, "/data.json")[1]))["run"]
    assert (run["state"], run["update"], len(run["curves"]["update"])) == ("finished", 6, 6)
    assert run["name"] == HOSTILE
    assert HOSTILE.encode() not in ask(address, "/")[1]
    viewing.send(signal.SIGTERM)
    viewing.succeeded()


def test_a_report_is_one_file_and_names_in_it_are_no_markup(chorus: Chorus, finished: Path, other: Path) -> None:
    out = chorus.folder / "report.html"
    chorus.run("report", finished, other, "--out", out)
    html = out.read_text()
    assert HOSTILE not in html
    told = html.split('<script type="application/json" id="data">')[1].split("</script>")[0]
    data = json.loads(told)
    assert len(data["groups"]) == 1, "the runs differ by their seed alone"
    (group,) = data["groups"]
    assert [run["seed"] for run in group["runs"]] == ["0", "1"]
    assert group["low"] <= group["mean"] <= group["high"]
    assert [film["name"] for film in data["films"]] == ["trained, after 6 updates", "untrained"]
    assert HOSTILE in [run["name"] for run in group["runs"]]


def test_an_evaluation_has_the_same_numbers_however_many_processes_play_it(chorus: Chorus, finished: Path) -> None:
    command = ("evaluate", finished, "--episodes", "20", "--json")
    alone = chorus.run(*command, "--jobs", "1")
    assert chorus.run(*command, "--jobs", "2") == alone
    against_itself = json.loads(chorus.run(*command, "--with", finished, "--agents", "agent_1"))
    assert against_itself["mixed_return"] == json.loads(alone)["mixed_return"]


def test_cross_play_and_all_that_was_played(chorus: Chorus, finished: Path, other: Path) -> None:
    pytest.importorskip("pyarrow")
    from pyarrow import parquet

    command = ("evaluate", finished, "--episodes", "20", "--with", other, "--agents", "agent_[12]", "--json")
    for name in ("all.npz", "all.parquet"):
        told = json.loads(chorus.run(*command, "--trajectories", chorus.folder / name))
    assert "mixed_return of all of other" in told
    with np.load(chorus.folder / "all.npz", allow_pickle=False) as arrays:  # noqa: TID251 (it is what users do)
        acted, rewards = arrays["acted"], arrays["individual_rewards"]
        assert rewards.sum(dtype=np.float64) / 20 == pytest.approx(told["individual_return"]["mean"], rel=1e-5)
        assert arrays["agents"].tolist() == ["agent_0", "agent_1", "agent_2"]
    table = parquet.read_table(chorus.folder / "all.parquet")
    assert table.num_rows == np.count_nonzero(acted)
    assert "matches none of" in chorus.start(*command[:4], "--with", other, "--agents", "wolf*").refused()


def test_a_sweep_killed_in_the_middle_goes_on_and_repeats_nothing(chorus: Chorus) -> None:
    plan = chorus.folder / "sweep.yaml"
    plan.write_text(
        "settings: { updates: 4, task.episodes: 4, learner.workers: 1 }\n"
        "vary: { optimiser.learning_rate: [1e-2] }\nseeds: 3\n"
    )
    out = chorus.folder / "sweep"
    command = ("sweep", plan, "--out", out, "--jobs", "1", "--no-films")
    first = chorus.start(*command)
    until(lambda: "1/3" in first.out.read_text())
    assert "another sweep is at work here" in chorus.start(*command).refused()
    first.send(signal.SIGKILL)
    done = {path: path.stat().st_mtime_ns for path in out.glob("*/final/policy.safetensors")}
    assert done
    told = chorus.run(*command)
    assert "of 3 runs are done already" in told
    assert "interquartile mean" in told
    assert {path: path.stat().st_mtime_ns for path in done} == done
    assert len(list(out.glob("*/final/policy.safetensors"))) == 3
    assert (out / "report.html").stat().st_size > 60_000
    plan.write_text(plan.read_text().replace("1e-2", "2e-2"))
    assert "holds another sweep" in chorus.start(*command).refused()
