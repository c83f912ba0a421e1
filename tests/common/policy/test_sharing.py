"""Who shares a policy with whom, and what its network is shown."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chorus.common.environments.interface import AgentSpec, EnvironmentSpec
from chorus.common.errors import ConfigError
from chorus.common.policy.sharing import PolicySpec, divide
from chorus.common.settings.sections import NetworkConfig, SharingConfig

NETWORK = NetworkConfig()
WOLF = AgentSpec("wolf_0", (4,), (3,))


def world(*agents: AgentSpec) -> EnvironmentSpec:
    """Some environment with these agents."""
    return EnvironmentSpec("some", "some 1", agents)


PACK = world(WOLF, AgentSpec("sheep_0", (2,), (5,)), AgentSpec("wolf_1", (4,), (3,)), AgentSpec("sheep_1", (2,), (5,)))
FLOCK = world(*(AgentSpec(f"sheep_{number}", (2,), (5,)) for number in range(3)))


def sharing(mode: Any, **groups: str) -> SharingConfig:
    """The setting."""
    return SharingConfig(mode=mode, groups=groups)


def test_all_share_one_policy() -> None:
    (policy,) = divide(FLOCK, sharing("all"), NETWORK)
    assert policy == PolicySpec("all", (0, 1, 2), FLOCK.agents[0], team_observations=6, team_agents=3)
    assert (policy.input_size, policy.output_size) == (2, 5)


def test_all_share_one_policy_that_knows_whom_it_acts_for() -> None:
    (policy,) = divide(FLOCK, sharing("all_with_id"), NETWORK)
    assert policy.identified and policy.input_size == 5


def test_none_share() -> None:
    policies = divide(PACK, sharing("none"), NETWORK)
    assert [(policy.name, policy.agents) for policy in policies] == [
        ("wolf_0", (0,)),
        ("sheep_0", (1,)),
        ("wolf_1", (2,)),
        ("sheep_1", (3,)),
    ]
    assert [policy.input_size for policy in policies] == [4, 2, 4, 2]


def test_groups_share_by_the_first_pattern_that_fits() -> None:
    policies = divide(PACK, sharing("groups", alpha="wolf_0", wolves="wolf_*", rest="*"), NETWORK)
    assert [(policy.name, policy.agents) for policy in policies] == [
        ("alpha", (0,)),
        ("wolves", (2,)),
        ("rest", (1, 3)),
    ]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (sharing("all"), "wolf_0 and sheep_0 cannot share policy 'all': their observation_shape are (4,) and (2,)"),
        (sharing("groups", wolves="wolf_*"), "no pattern matches agent 'sheep_0'"),
        (sharing("groups", cats="cat_*", rest="*"), "sharing.groups.cats: 'cat_*' matches none of wolf_0, sheep_0"),
        (sharing("groups", wolves="WOLF_*", sheep="sheep_*"), "no pattern matches agent 'wolf_0'"),
    ],
)
def test_what_cannot_share_is_said_with_the_remedy(setting: SharingConfig, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        divide(PACK, setting, NETWORK)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "other",
    [
        AgentSpec("b", (4,), (3, 1)),
        AgentSpec("b", (4,), bounds=((0.0, 1.0),)),
        AgentSpec("b", (2, 2), (3,)),
    ],
)
def test_agents_that_do_or_see_other_things_cannot_share(other: AgentSpec) -> None:
    with pytest.raises(ConfigError, match="cannot share"):
        divide(world(WOLF, other), sharing("all"), NETWORK)


def test_continuous_agents_with_other_bounds_cannot_share() -> None:
    low, high = (AgentSpec(name, (1,), bounds=((0.0, top),)) for name, top in (("a", 1.0), ("b", 2.0)))
    with pytest.raises(ConfigError, match="their bounds are"):
        divide(world(low, high), sharing("all"), NETWORK)


@given(
    sizes=st.lists(st.integers(1, 4), min_size=1, max_size=5),
    time=st.integers(0, 3),
    mode=st.sampled_from(["all_with_id", "none", "groups"]),
)
def test_every_agents_input_is_its_own_observation_and_its_number_among_those_who_share(
    sizes: list[int], time: int, mode: str
) -> None:
    if mode == "all_with_id":
        sizes = [sizes[0]] * len(sizes)
    agents = tuple(AgentSpec(f"a{size}_{number}", (size,), (2,)) for number, size in enumerate(sizes))
    groups = {f"of{size}": f"a{size}_*" for size in sorted(set(sizes))} if mode == "groups" else {}
    spec = world(*agents)
    observations = np.random.Generator(np.random.Philox(key=0)).normal(size=(time, 2, len(sizes), max(sizes)))
    seen = set()
    for policy in divide(spec, sharing(mode, **groups), NETWORK):
        inputs = policy.inputs(observations.astype(np.float32))
        assert inputs.shape == (time, 2, len(policy.agents), policy.input_size)
        for place, agent in enumerate(policy.agents):
            seen.add(agent)
            own = observations[:, :, agent, : sizes[agent]].astype(np.float32)
            np.testing.assert_array_equal(inputs[:, :, place, : sizes[agent]], own)
            expected = [float(place == other) for other in range(len(policy.agents))] if mode == "all_with_id" else []
            assert (inputs[:, :, place, sizes[agent] :] == expected).all()
    assert seen == set(range(len(sizes))), "every agent acts by exactly one policy"


def test_sharing_all_costs_no_copy() -> None:
    (policy,) = divide(FLOCK, sharing("all"), NETWORK)
    observations = np.zeros((7, 3, 2), np.float32)
    assert policy.inputs(observations) is observations


def named(*names: str, sizes: tuple[int, ...]) -> EnvironmentSpec:
    """Agents of these names, each seeing so many numbers."""
    agents = tuple(AgentSpec(name, (size,), (5,)) for name, size in zip(names, sizes, strict=True))
    return EnvironmentSpec("named", "none 1", agents)


@pytest.mark.parametrize(
    ("names", "sizes", "policies"),
    [
        (("a_0", "a_1"), (3, 3), {"all": (0, 1)}),
        (("adversary_0", "agent_0", "agent_1"), (4, 2, 2), {"adversary": (0,), "agent": (1, 2)}),
        (("speaker_0", "listener_0"), (3, 11), {"speaker": (0,), "listener": (1,)}),
        (("wolf", "sheep", "dog"), (4, 2, 4), {"wolf": (0, 2), "sheep": (1,)}),
        (("0", "1"), (4, 2), {"0": (0,), "1": (1,)}),
        (("agent_0", "agent_1"), (4, 2), {"agent": (0,), "agent_1": (1,)}),
    ],
)
def test_agents_of_a_kind_share_and_unlike_kinds_do_not(
    names: tuple[str, ...], sizes: tuple[int, ...], policies: dict[str, tuple[int, ...]]
) -> None:
    """What agents see and do tells kinds apart, not what they are called."""
    found = divide(named(*names, sizes=sizes), SharingConfig(), NETWORK)
    assert {policy.name: policy.agents for policy in found} == policies
