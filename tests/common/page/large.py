"""A large run, as a page has to show it: ten thousand updates in its folder, a thousand actors at its learner."""

import json
from pathlib import Path
from typing import Any

UPDATES, ACTORS = 10_000, 1_000
COLUMNS = (
    "update,env_steps,agent_steps,seconds,individual_return,team_return,mixed_return,episode_length,policy_lag,"
    "agent_steps_per_second,evaluation_return,gradient_norm,clipped,signal_to_noise,entropy,explained_variance,"
    "policy_disagreement,passes,kl,surrogate_clipped,importance_ratio_mean,importance_ratio_max,learning_rate,"
    "batch_seconds,step_seconds"
)


def write_large_run(run: Path, updates: int = UPDATES) -> Path:
    """Its folder, with a log that holds one fault."""
    run.mkdir()
    settings = (
        "run: { id: abcd1234, fingerprint: { chorus: 0.1.0 } }\nenvironment: { spec: spread }\n"
        f"updates: {2 * UPDATES}\nupdate: {{ passes: 4 }}\nloss: {{ target_kl: 0.02 }}\noptimiser: {{ clip: 1.0 }}\n"
    )
    (run / "config.yaml").write_text(settings)
    lines = [COLUMNS, *map(_row, range(updates))]
    (run / "metrics.csv").write_text("\n".join(lines) + "\n")
    fault = {"time": "2026-01-02T03:04:05Z", "level": "error", "event": "a task failed", "task": 7}
    (run / "log.jsonl").write_text(json.dumps(fault) + "\n")
    return run


def _row(update: int) -> str:
    wave = update * 37 % 101 / 101
    evaluated = f"{-60 + update / 500 + wave}" if update % 50 == 0 else ""
    return (
        f"{update},{400 * update + 400},{1200 * update + 1200},{update / 2 + 0.5},{-3 - wave},{-90 + update / 200},"
        f"{-80 + update / 400 + wave},25,0,{2400 + 100 * wave},{evaluated},{0.2 + wave / 10},0,{1 / (1 + update)},"
        f"{1.6 - update / 10_000},{wave},1e-06,{3 + update % 2},{0.01 + wave / 100},{wave / 5},1,{1 + 3 * wave},0.005,"
        f"{0.1 + wave / 10},{0.4 + wave / 10}"
    )


def live() -> dict[str, Any]:
    """What its learner adds."""
    return {
        "state": "training",
        "problem": "",
        "lag": 0,
        "accounts": {
            "issued": 100_000,
            "completed": 98_000,
            "repeated": 10,
            "failed": 1,
            "requeued": 989,
            "outstanding": 1_000,
            "refused": 0,
            "audited": 0,
            "unequal": 0,
        },
        "refusals": {"stuck": 3},
        "actors": [[f"actor-{number}", "playing", number, 1.5, 0, 0.2, ""] for number in range(ACTORS)],
        "timing": {"task": 0.4, "gradient": 0.02},
    }
