"""Settings: what is read, what is refused and how it is said, what a configuration resolves to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from chorus.common.environments.interface import AgentSpec, EnvironmentSpec
from chorus.common.errors import ConfigError
from chorus.common.settings.config import Config, check, decode, encode, resolve, to_dict
from chorus.common.settings.plain import differences, override, read, scalar, text
from chorus.common.settings.schedule import Schedule, value_at


def team(agents: int = 3, longest: int | None = None, shape: tuple[int, ...] = (2,), **kind: Any) -> EnvironmentSpec:
    """An environment of so many agents, who see observations of this shape."""
    members = tuple(AgentSpec(f"a{n}", shape, (2,)) for n in range(agents))
    return EnvironmentSpec("some", "some 1", members, longest, **kind)


REFUSED: dict[str, tuple[dict[Any, Any], str]] = {
    "an unknown key": ({"lerning_rate": 1}, "unknown setting lerning_rate; `chorus settings` lists"),
    "an unknown key in a section": (
        {"optimiser": {"learnig_rate": 1e-3}},
        "unknown setting optimiser.learnig_rate; the nearest is optimiser.learning_rate",
    ),
    "a key that is no word": ({7: 1}, "unknown setting 7"),
    "a value for a section": ({"loss": 3}, "loss is a section: write loss.NAME, not loss=3"),
    "nothing for a section": ({"loss": None}, "loss is a section"),
    "a word for a number": ({"updates": "many"}, "updates is 'many': expected a whole number, got text"),
    "a fraction for a count": ({"updates": 1.5}, "updates is 1.5: expected a whole number, got a number"),
    "yes for a number": ({"seed": True}, "seed is True: expected a whole number, got true or false"),
    "a number for yes": ({"evaluate": {"greedy": 1}}, "evaluate.greedy is 1: expected true or false"),
    "fewer updates than none": ({"updates": -1}, "updates is -1: expected a whole number of at least 0"),
    "less than nothing": ({"lag": -1}, "lag is -1: expected a whole number of at least 0"),
    "a seed too large": ({"seed": 2**63}, "seed is 9223372036854775808: expected a whole number of at most 9"),
    "a discount above one": ({"loss": {"discount": 1.01}}, "loss.discount is 1.01: expected a number of at most 1.0"),
    "a momentum of one": (
        {"optimiser": {"momentum": 1.0}},
        "momentum is 1.0: expected a number less than 1.0",
    ),
    "a clip of nothing": ({"optimiser": {"clip": 0.0}}, "optimiser.clip is 0.0: expected a number greater than 0.0"),
    "a choice that is none": (
        {"loss": {"baseline": "critic"}},
        "'critic': expected one of none, leave_one_out, value",
    ),
    "a device that is none": ({"device": "gpu"}, "device is 'gpu': expected cpu, cuda or cuda:1"),
    "not a number": ({"loss": {"entropy": float("nan")}}, "loss.entropy is nan: expected a finite number"),
    "an infinity": ({"optimiser": {"learning_rate": float("inf")}}, "optimiser.learning_rate is inf"),
    "an infinity in a schedule": (
        {"reward": {"team": {"kind": "linear", "start": 1.0, "end": float("-inf")}}},
        "reward.team is -inf",
    ),
    "an infinity in a list": (
        {"loss": {"entropy": {"kind": "steps", "start": 1.0, "at": [[5, float("nan")]]}}},
        "loss.entropy is nan",
    ),
    "a learning rate of nothing": ({"optimiser": {"learning_rate": 0.0}}, "optimiser.learning_rate must be greater"),
    "a learning rate that becomes negative": (
        {"optimiser": {"learning_rate": {"kind": "linear", "start": 1.0, "end": -0.1}}},
        "optimiser.learning_rate must be greater than 0",
    ),
    "a schedule of no kind": ({"loss": {"entropy": {"kind": "square", "start": 1.0}}}, "loss.entropy.kind is 'square'"),
    "a schedule with a key too many": (
        {"loss": {"entropy": {"kind": "linear", "start": 1.0, "stop": 0.0}}},
        "there is no field 'stop'; the fields are kind, start",
    ),
    "steps without steps": ({"loss": {"entropy": {"kind": "steps", "start": 1.0}}}, "needs at least one pair"),
    "steps out of order": (
        {"loss": {"entropy": {"kind": "steps", "start": 1.0, "at": [[9, 1.0], [3, 1.0]]}}},
        "increasing updates, but has [9, 3]",
    ),
    "one episode to compare with itself": (
        {"task": {"episodes": 1}, "loss": {"baseline": "leave_one_out"}},
        "loss.baseline leave_one_out compares",
    ),
    "agent after agent off-policy": (
        {"loss": {"reduction": "sequential"}, "lag": 1},
        "set lag=0, loss.baseline=leave_one_out, update.passes=1",
    ),
    "groups without patterns": ({"sharing": {"mode": "groups"}}, "belong together"),
    "patterns without groups": ({"sharing": {"groups": {"a": "*"}}}, "belong together"),
    "a pattern that is none": ({"sharing": {"mode": "groups", "groups": {"a": 3}}}, "sharing.groups is {'a': 3}"),
    "a policy that cannot be named": (
        {"sharing": {"mode": "groups", "groups": {"a/b": "*"}}},
        "sharing.groups: 'a/b' cannot name a policy",
    ),
    "no channels at all": ({"network": {"channels": [0]}}, "network.channels is [0]"),
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_cannot_be_meant_is_refused_by_name(why: str) -> None:
    written, message = REFUSED[why]
    with pytest.raises(ConfigError) as caught:
        check(written)
    assert message in str(caught.value)


def names(section: type[msgspec.Struct], prefix: str = "") -> list[str]:
    """All settings by their full names."""
    found = []
    for field in msgspec.structs.fields(section):
        nested = isinstance(field.type, type) and issubclass(field.type, msgspec.Struct)
        found += names(field.type, f"{prefix}{field.name}.") if nested else [f"{prefix}{field.name}"]
    return found


@settings(max_examples=150, deadline=None)
@given(name=st.sampled_from(names(Config)), place=st.integers(0, 30), letter=st.sampled_from("xqz"))
def test_a_slip_of_the_finger_is_answered_with_what_was_meant(name: str, place: int, letter: str) -> None:
    *sections, key = name.split(".")
    place %= len(key)
    slipped = key[:place] + letter + key[place:]
    written: dict[str, Any] = {}
    override(written, f"{'.'.join([*sections, slipped])}=1")
    with pytest.raises(ConfigError, match="unknown setting") as caught:
        check(written)
    if len(key) > 4:  # of very short names another may be as near
        assert str(caught.value).endswith(f"the nearest is {name}")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3),
        ("1E3", 1000.0),
        ("-2.5e-4", -2.5e-4),
        (".5e1", 5.0),
        ("3.", 3.0),
        ("1.5", 1.5),
        ("7", 7),
        ("-7", -7),
        ("true", True),
        ("null", None),
        ("cuda:1", "cuda:1"),
        ("1e-3x", "1e-3x"),
        ("e3", "e3"),
        ("spread?agents=3", "spread?agents=3"),
        ("{kind: linear, start: 1e-2}", {"kind": "linear", "start": 1e-2}),
        ("[1e1, 2]", [10.0, 2]),
    ],
)
def test_numbers_are_read_as_people_write_them(text: str, value: Any) -> None:
    assert scalar(text) == value and type(scalar(text)) is type(value)


def test_a_setting_given_by_hand_reaches_its_place() -> None:
    written: dict[str, Any] = {"loss": {"discount": 0.5}}
    for assignment in (
        "loss.entropy=1e-3",
        "updates=7",
        "environment.spec=gymnasium:Foraging-8x8-2p-3f-v3?x=1",
        "optimiser.clip=null",
        "reward.team={kind: cosine, start: 1, end: 0, over: 10}",
        " sharing.mode =none",
    ):
        override(written, assignment)
    config = check(written)
    assert config.loss.entropy == 1e-3 and config.loss.discount == 0.5 and config.updates == 7
    assert config.environment.spec == "gymnasium:Foraging-8x8-2p-3f-v3?x=1"
    assert config.optimiser.clip is None and config.sharing.mode == "none"
    assert config.reward.team == Schedule(kind="cosine", start=1.0, end=0.0, over=10)


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("updates", "write key=value"),
        ("loss.entropy.deep=1", "'entropy' is a value, not a section"),
        ("loss=[1", "is not a YAML value"),
    ],
)
def test_a_setting_given_wrongly_says_how_to_write_it(assignment: str, message: str) -> None:
    with pytest.raises(ConfigError, match="(?s)" + message.replace("[", r"\[")):
        override({"loss": {"entropy": 1.0}}, assignment)


def test_a_file_is_read_or_it_is_said_why_not(tmp_path: Path) -> None:
    path = tmp_path / "some.yaml"
    path.write_text("loss:\n  entropy: 1e-3\nseed: 5\n")
    assert check(read(path)) == check({"loss": {"entropy": 1e-3}, "seed": 5})
    path.write_text("# nothing but a remark\n")
    assert read(path) == {}
    for content, message in (
        (b"- a\n- b\n", "expected `key: value` lines, found list"),
        (b"a: [\n", "is not YAML: line 2"),
        (b"\xff\xfe", "some.yaml"),
        (b"a: !!python/object:os.system {}\n", "is not YAML"),
    ):
        path.write_bytes(content)
        with pytest.raises(ConfigError, match="(?s)" + message):
            read(path)
    with pytest.raises(ConfigError, match=r"absent\.yaml"):
        read(tmp_path / "absent.yaml")


some_configs = st.builds(
    lambda seed, spec, entropy, clip, mode, team, at: check(
        {
            "seed": seed,
            "environment": {"spec": spec},
            "loss": {"entropy": entropy},
            "optimiser": {"clip": clip},
            "sharing": {"mode": "groups", "groups": {"one": "a*", "rest": "*"}} if mode else {},
            "reward": {"team": {"kind": "steps", "start": team, "at": [[at, 0.25], [at + 3, 1e-7]]}},
        }
    ),
    seed=st.integers(0, 2**63 - 1),
    spec=st.text(max_size=20),
    entropy=st.floats(0.0, 1.0),
    clip=st.none() | st.floats(1e-9, 1e9),
    mode=st.booleans(),
    team=st.floats(-1e6, 1e6),
    at=st.integers(1, 100),
)


def test_a_word_that_looks_like_a_number_comes_back_as_the_word(tmp_path: Path) -> None:
    (tmp_path / "some.yaml").write_text(text({"run": {"id": "12345e67"}, "seed": 7, "rate": 1e-5}))
    assert read(tmp_path / "some.yaml") == {"run": {"id": "12345e67"}, "seed": 7, "rate": 1e-5}


@settings(max_examples=25, deadline=None)
@given(config=some_configs)
def test_a_configuration_comes_back_the_same_from_yaml_and_from_the_wire(config: Config) -> None:
    for whole in (config, resolve(config, team())):
        assert decode(encode(whole)) == whole
        assert check(scalar(yaml.safe_dump(to_dict(whole), sort_keys=False))) == whole
        assert differences(to_dict(whole), to_dict(decode(encode(whole)))) == []


def test_bytes_that_are_no_configuration_are_refused() -> None:
    for data in (b"", b"{", b"[]", b'{"sed": 1}', b'{"updates": -1}', b'{"lag": -1}'):
        with pytest.raises(ConfigError, match="cannot be read"):
            decode(data)


def test_differences_are_named_with_both_values() -> None:
    ours = check({"seed": 1, "loss": {"discount": 0.9}, "sharing": {"mode": "groups", "groups": {"a": "*"}}})
    theirs = check({"seed": 2, "loss": {"discount": 0.9}, "reward": {"team": {"kind": "linear", "start": 1.0}}})
    found = differences(to_dict(ours), to_dict(theirs))
    assert "seed: 1, 2" in found and "sharing.mode: 'groups', 'auto'" in found
    assert "sharing.groups.a: '*', None" in found
    assert any(line.startswith("reward.team: None, {") for line in found)
    assert not any("discount" in line for line in found)


# -- what a configuration resolves to


@pytest.mark.parametrize(
    ("agents", "longest", "episodes"),
    [
        (3, 25, 16),
        (1, 25, 16),
        (12, 25, 8),
        (3, 4, 32),
        (96, 25, 2),
        (2, 50, 8),
        (2, 500, 2),
        (2, None, 2),
        (1000, 5, 2),
    ],
)
def test_an_update_is_of_so_many_steps_and_a_task_of_no_more_than_a_hundred_rows(
    agents: int, longest: int | None, episodes: int
) -> None:
    resolved = resolve(check({}), team(agents, longest=longest))
    assert resolved.episodes == episodes and resolved.tasks == 4


@pytest.mark.parametrize(
    ("longest", "steps"), [(25, 400_000), (50, 800_000), (500, 4_000_000), (None, 3_200_000), (2, 400_000)]
)
def test_a_run_is_of_a_budget_that_suits_the_longest_episode(longest: int | None, steps: int) -> None:
    resolved = resolve(check({}), team(longest=longest))
    played = resolved.updates * resolved.episodes * resolved.tasks * (longest or 200)
    assert played == pytest.approx(steps, rel=0.02)
    assert resolve(check({"updates": 7}), team(longest=longest)).updates == 7


def test_a_schedule_without_a_length_takes_the_whole_run_and_keeps_it_when_more_updates_follow() -> None:
    plain = {"updates": 100, "loss": {"entropy": {"kind": "linear", "start": 1.0, "end": 0.5}}}
    resolved = resolve(check(plain), team())
    assert value_at(resolved.loss.entropy, 50) == pytest.approx(0.75)
    assert value_at(resolved.optimiser.learning_rate, 100) == pytest.approx(5e-4)
    longer = resolve(check(plain | {"updates": 200}), team(), horizon=100)
    assert (longer.loss, longer.optimiser, longer.updates) == (resolved.loss, resolved.optimiser, 200)
    with pytest.raises(ValueError, match="the schedule has no length"):
        value_at(check(plain).loss.entropy, 0)


def test_a_value_sees_the_team_where_there_is_one_to_be_seen() -> None:
    assert resolve(check({}), team()).value.sees == "team"
    assert resolve(check({}), team(1)).value.sees == "own", "nobody else is there"
    assert resolve(check({}), team(shape=(84, 84, 3))).value.sees == "own", "pictures"
    assert resolve(check({}), team(shape=(3000,))).value.sees == "own", "too long"
    assert resolve(check({"value": {"network": "head"}}), team()).value.sees == "own", "the policy would see it too"
    assert resolve(check({"value": {"sees": "own"}}), team()).value.sees == "own"


def test_what_is_given_is_not_resolved_otherwise() -> None:
    resolved = resolve(check({"task": {"episodes": 5}, "update": {"tasks": 9}}), team())
    assert resolved.episodes == 5 and resolved.tasks == 9 and resolve(resolved, team(7)) == resolved


def test_the_machine_has_no_say_in_what_a_run_is(monkeypatch: pytest.MonkeyPatch) -> None:
    before = resolve(check({}), team())
    monkeypatch.setattr("os.cpu_count", lambda: 77)
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(77)))
    monkeypatch.setenv("OMP_NUM_THREADS", "77")
    assert resolve(check({}), team()) == before


def test_what_is_not_resolved_says_so() -> None:
    with pytest.raises(ConfigError, match=r"task.episodes is not resolved"):
        _ = check({}).episodes
    with pytest.raises(ConfigError, match=r"update.tasks is not resolved"):
        _ = check({}).tasks


def test_reward_weights_left_out_follow_what_the_environment_gives() -> None:
    apart = resolve(check({}), team(team_reward=True)).reward
    assert (apart.individual, apart.team) == (0.5, 0.5)
    own = resolve(check({}), team()).reward
    assert (own.individual, own.team) == (1.0, 0.0)
    shared = resolve(check({"environment": {"single_reward": "team"}}), team()).reward
    assert (shared.individual, shared.team) == (0.0, 1.0)
    given = resolve(check({"reward": {"team": 0.3}}), team(team_reward=True)).reward
    assert (given.individual, given.team) == (0.5, 0.3)
    with pytest.raises(ConfigError, match="gives a team reward apart"):
        resolve(check({"environment": {"single_reward": "team"}}), team(team_reward=True))
