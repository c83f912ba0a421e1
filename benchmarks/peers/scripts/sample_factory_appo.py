"""Sample Factory: APPO with a GRU on PettingZoo's simple_spread, two rollout workers, asynchronous as by its defaults.

A batch is the work's episodes; its rollout and its recurrence are an episode. Hyper-parameters are its defaults but for
the width, 64. It counts agent-steps as its own report of frames does.
"""

from __future__ import annotations

import tempfile
from typing import Any

import gymnasium
import numpy as np
from pettingzoo.mpe import simple_spread_v3
from sample_factory.algo.runners.runner import AlgoObserver
from sample_factory.cfg.arguments import parse_full_cfg, parse_sf_args
from sample_factory.envs.env_utils import register_env
from sample_factory.train import make_runner
from work import AGENTS, EPISODE, Meter, Work, asked, tell

WORKERS = 2


class Spread(gymnasium.Env[Any, Any]):
    """An episode at a time, as Sample Factory wants teams: lists with an entry for each agent."""

    num_agents, is_multiagent, render_mode = AGENTS, True, None

    def __init__(self) -> None:
        self._world = simple_spread_v3.parallel_env(max_cycles=EPISODE)
        self._names = self._world.possible_agents
        self.observation_space = self._world.observation_space(self._names[0])
        self.action_space = self._world.action_space(self._names[0])

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, Any]:
        """The first observation of each agent."""
        del options
        seen, _ = self._world.reset(seed=seed)
        return [seen[name] for name in self._names], [{} for _ in self._names]

    def step(self, actions: Any) -> tuple[Any, ...]:
        """All agents act; a new episode begins where one ends."""
        by_name = {name: int(np.asarray(action).item()) for name, action in zip(self._names, actions, strict=True)}
        seen, rewards, _, cut, _ = self._world.step(by_name)
        over = [cut[name] for name in self._names]
        paid = [rewards[name] for name in self._names]
        observations = self.reset()[0] if all(over) else [seen[name] for name in self._names]
        return observations, paid, [False] * AGENTS, over, [{} for _ in self._names]


def make(*_: Any, **__: Any) -> Spread:
    """What the library calls for an environment."""
    return Spread()


class Watch(AlgoObserver):
    """Tells the meter of every training step."""

    def __init__(self, work: Work) -> None:
        self._meter, self._known = Meter(work), 0

    def on_training_step(self, runner: Any, training_iteration_since_resume: int) -> None:
        """After each training step, in the main process."""
        del training_iteration_since_resume
        steps = sum(runner.env_steps.values())
        if steps > self._known:
            done, self._known = self._meter.learned(steps - self._known), steps
            if done:
                tell(self._meter)


def main() -> None:
    """Learn until the work is done."""
    work = asked()
    if work.goal is not None:
        raise SystemExit("this script measures rates alone")
    register_env("spread", make)
    said = {
        "env": "spread",
        "experiment": "spread",
        "train_dir": tempfile.mkdtemp(),
        "device": "cpu",
        "seed": work.seed,
        "num_workers": WORKERS,
        "num_envs_per_worker": work.episodes // WORKERS,
        "rollout": EPISODE,
        "recurrence": EPISODE,
        "batch_size": work.episodes * EPISODE * AGENTS,
        "num_epochs": work.epochs,
        "rnn_size": 64,
        "decorrelate_envs_on_one_worker": False,  # stepping environments apart before the first batch takes a minute
        "log_to_file": False,
    }
    words = [f"--{name}={value}" for name, value in said.items()] + ["--encoder_mlp_layers", "64"]
    parser, _ = parse_sf_args(words)
    _, runner = make_runner(parse_full_cfg(parser, words))
    runner.register_observer(Watch(work))
    runner.init()
    runner.run()


if __name__ == "__main__":
    main()
