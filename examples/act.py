"""Act with a trained policy in the environment's own loop: in NumPy, without torch.

chorus train --env "pettingzoo:mpe2.simple_spread_v3?N=3&max_cycles=25" --updates 40 --out runs/simple_spread
python examples/act.py runs/simple_spread
"""

import sys

from mpe2 import simple_spread_v3

import chorus


def main(run: str, episodes: int) -> None:
    env = simple_spread_v3.parallel_env(N=3, max_cycles=25)
    team = chorus.load(run).team(env)
    for seed in range(episodes):
        observations, infos = env.reset(seed=seed)
        team.reset()
        total = 0.0
        while env.agents:
            observations, rewards, _, _, infos = env.step(team.act(observations, infos, greedy=True))
            total += sum(rewards.values())
        print(f"episode {seed}: return {total:.2f}")


if __name__ == "__main__":
    main(sys.argv[1], episodes=int(sys.argv[2]) if len(sys.argv) > 2 else 5)
