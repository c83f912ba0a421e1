"""JaxMARL's environments, K episodes at once."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from chorus.common.environments import make
from chorus.common.environments.checks.purity import Purity, prove, random_actions
from chorus.common.environments.permitted import permit
from chorus.common.errors import EnvironmentFault, Refused

pytest.importorskip("jaxmarl")
SPREAD = "jaxmarl:MPE_simple_spread_v3"


@pytest.mark.slow
def test_episodes_are_what_jaxmarl_plays_alone_and_end_by_its_limit() -> None:
    import jax
    import jaxmarl

    ours, theirs = make(SPREAD), jaxmarl.make("MPE_simple_spread_v3")
    assert [agent.name for agent in ours.spec.agents] == list(theirs.agents)
    assert ours.spec.max_steps == 26, "it looks at its limit of 25 before it counts"
    frame = ours.reset(3, np.random.default_rng(1))
    keys = jax.random.split(jax.random.PRNGKey(int(np.random.default_rng(1).integers(2**31))), 3)
    key, begin = jax.random.split(keys[1])
    seen, state = theirs.reset(begin)
    draw = np.random.default_rng(2)
    for step in range(26):
        for number, name in enumerate(theirs.agents):
            np.testing.assert_allclose(frame.observations[1, number], seen[name], rtol=1e-4, atol=1e-4)
        actions = random_actions(ours.spec, frame, draw)
        outcome = ours.step(actions)
        key, now = jax.random.split(key)
        chosen = {name: actions[1, number, 0] for number, name in enumerate(theirs.agents)}
        seen, state, paid, _, _ = theirs.step_env(now, state, chosen)
        np.testing.assert_allclose(outcome.rewards[1], [float(paid[name]) for name in theirs.agents], rtol=1e-4)
        assert outcome.over.all() == outcome.truncated.all() == (step == 25)
        assert not outcome.terminated.any()
        frame = outcome.frame
    assert not frame.present.any()
    after = ours.step(np.zeros((3, 3, 1), np.int32))
    assert after.over.all() and not after.rewards.any() and not after.truncated.any()


@pytest.mark.slow
def test_tasks_of_like_width_share_what_is_compiled() -> None:
    from chorus.common.environments.adapters import jaxmarl as adapter

    environment = make(SPREAD)
    assert isinstance(environment, adapter.JaxMarl)
    for episodes in (2, 3, adapter.NARROWEST):
        frame = environment.reset(episodes, np.random.default_rng(episodes))
        assert frame.observations.shape[0] == episodes
        for step in range(3):
            frame = environment.step(random_actions(environment.spec, frame, np.random.default_rng(step))).frame
    assert [function._cache_size() for function in (environment._begin, environment._advance)] == [1, 1]


@pytest.mark.parametrize(("episodes", "width"), [(1, 16), (16, 16), (17, 32), (32, 32), (33, 64)])
def test_k_is_filled_up_to_a_power_of_two(episodes: int, width: int) -> None:
    from chorus.common.environments.adapters import jaxmarl as adapter

    assert adapter.width(episodes) == width


@pytest.mark.slow
def test_it_is_pure() -> None:
    assert prove(lambda: make(SPREAD), steps=5)[1].purity is Purity.PURE


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ("jaxmarl:MPE_simple_spred_v3", "did you mean 'MPE_simple_spread_v3'?"),
        (f"{SPREAD}?agents=3", "it refuses its settings"),
        ("jaxmarl", "needs to know which environment"),
    ],
)
def test_a_wrong_name_or_setting_is_answered(spec: str, complaint: str) -> None:
    with pytest.raises(EnvironmentFault, match=complaint):
        make(spec)


@pytest.mark.slow
def test_what_jaxmarl_tells_at_its_import_is_not_a_commands_answer() -> None:
    code = f"from chorus.common.environments import make; make({SPREAD!r})"
    done = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True)
    assert done.stdout == ""


def test_its_names_are_known_and_no_others() -> None:
    permit(SPREAD, ())
    with pytest.raises(Refused):
        permit("jaxmarl:os.system", ())
