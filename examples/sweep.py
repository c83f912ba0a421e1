"""Try several values of a setting, each with several seeds, and say which is best.

python examples/sweep.py
"""

import sys
from pathlib import Path

import numpy as np

import chorus

LEARNING_RATES = (1e-3, 4e-3)


def main(updates: int, seeds: int, out: Path) -> None:
    reached = {}
    for rate in LEARNING_RATES:
        returns = []
        for seed in range(1, seeds + 1):
            run = chorus.train(
                "spread?agents=2",
                updates=updates,
                seed=seed,
                out=out / f"rate-{rate}-seed-{seed}",
                settings={"optimiser.learning_rate": rate, "task.episodes": 16},
            )
            last = run.metrics["mixed_return"][-max(1, updates // 5) :]
            returns.append(last.mean())
        reached[rate] = np.mean(returns)
        print(f"learning rate {rate}: return {reached[rate]:.2f} over the last fifth, mean of {seeds} seeds")
    print("best:", max(reached, key=reached.__getitem__))


if __name__ == "__main__":
    updates, seeds, out = sys.argv[1:] or ("40", "2", "runs/sweep")
    main(int(updates), int(seeds), Path(out))
