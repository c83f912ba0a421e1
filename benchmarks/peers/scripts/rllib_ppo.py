"""RLlib: PPO with an LSTM on mpe2's simple_spread, one policy for all agents, two processes that play.

Defaults of its new API stack but for the batch, the widths, 64, and the longest sequence, an episode.
"""

from __future__ import annotations

import os
from typing import Any

import ray
from mpe2 import simple_spread_v3
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig
from ray.rllib.env.wrappers.pettingzoo_env import ParallelPettingZooEnv
from ray.tune.registry import register_env
from work import AGENTS, EPISODE, Meter, asked, tell

PLAYERS, MINIBATCHES = 2, 2
PATIENCE = 900.0
"""Seconds that a batch may take; on a busy machine its own 60 are too few, and a result then has no steps."""


def make(settings: Any) -> ParallelPettingZooEnv:
    """What the library calls for an environment."""
    del settings
    return ParallelPettingZooEnv(simple_spread_v3.parallel_env(max_cycles=EPISODE))


def main() -> None:
    """Learn until the work is done."""
    work = asked()
    if work.goal is not None:
        raise SystemExit("this script measures rates alone")
    os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112  (by default workers give way to everything, 15 levels down)
    ray.init(num_cpus=2 * PLAYERS, include_dashboard=False, log_to_driver=False)
    register_env("spread", make)
    batch = work.episodes * EPISODE * AGENTS
    model = DefaultModelConfig(fcnet_hiddens=[64], use_lstm=True, lstm_cell_size=64, max_seq_len=EPISODE)
    config = (
        PPOConfig()
        .environment("spread")
        .env_runners(num_env_runners=PLAYERS, sample_timeout_s=PATIENCE)
        .multi_agent(policies={"all"}, policy_mapping_fn=lambda *_, **__: "all", count_steps_by="agent_steps")
        .rl_module(model_config=model)
        .training(
            train_batch_size_per_learner=batch,
            minibatch_size=batch // MINIBATCHES,
            num_epochs=work.epochs,
        )
        .debugging(seed=work.seed)
    )
    learner = config.build_algo()
    meter, known, done = Meter(work), 0, False
    while not done:
        played = int(learner.train()["env_runners"]["num_env_steps_sampled_lifetime"])
        done, known = meter.learned(AGENTS * (played - known)), played
    tell(meter)


if __name__ == "__main__":
    main()
