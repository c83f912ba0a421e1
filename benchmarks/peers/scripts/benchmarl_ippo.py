"""BenchMARL: IPPO with a GRU on VMAS simple_spread, whose environments are one batch of torch tensors.

Defaults but for the batch, the widths, 64, and discrete actions; nothing is written or evaluated beside learning.
"""

from __future__ import annotations

import tempfile
from typing import Any

import torch
from benchmarl.algorithms import IppoConfig
from benchmarl.environments import VmasTask
from benchmarl.experiment import Callback, Experiment, ExperimentConfig
from benchmarl.models.gru import GruConfig
from work import AGENTS, EPISODE, Meter, Work, asked, tell

MINIBATCHES = 2


class Watch(Callback):
    """Tells the meter of every batch that was learned from."""

    def __init__(self, work: Work) -> None:
        super().__init__()
        self._meter, self._frames = Meter(work), 0

    def on_batch_collected(self, batch: Any) -> None:
        """Environment steps that are about to be learned from."""
        self._frames = batch.numel()

    def on_train_end(self, training_td: Any, group: str) -> None:
        """All passes over the batch are made; there is one group of agents."""
        del training_td, group
        if self._meter.learned(AGENTS * self._frames):
            tell(self._meter)


def main() -> None:
    """Learn until the work is done."""
    work = asked()
    if work.goal is not None:
        raise SystemExit("this script measures rates alone")
    torch.set_num_threads(2)
    frames = work.episodes * EPISODE
    config = ExperimentConfig.get_from_yaml()
    config.prefer_continuous_actions = False
    config.max_n_frames, config.max_n_iters = None, 1_000_000
    config.on_policy_collected_frames_per_batch = frames
    config.on_policy_n_envs_per_worker = work.episodes
    config.on_policy_n_minibatch_iters = work.epochs
    config.on_policy_minibatch_size = frames // MINIBATCHES
    config.evaluation = config.render = config.create_json = False
    config.loggers = []
    config.save_folder = tempfile.mkdtemp()
    task = VmasTask.SIMPLE_SPREAD.get_from_yaml()
    task.config["max_steps"] = EPISODE
    model = GruConfig.get_from_yaml()
    model.hidden_size, model.mlp_num_cells = 64, [64]
    Experiment(
        task=task,
        algorithm_config=IppoConfig.get_from_yaml(),
        model_config=model,
        critic_model_config=model,
        seed=work.seed,
        config=config,
        callbacks=[Watch(work)],
    ).run()


if __name__ == "__main__":
    main()
