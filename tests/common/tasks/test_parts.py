"""A trajectory travels in parts whose bounds follow from the task; joined again they are the whole, byte for byte."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chorus.actor.rollout import Player
from chorus.common.environments import make
from chorus.common.errors import MalformedData
from chorus.common.policy.sharing import divide as policies_of
from chorus.common.policy.weights import make as version
from chorus.common.settings.config import Config, resolve
from chorus.common.tasks import parts as parts_module
from chorus.common.tasks import room as room_module
from chorus.common.tasks.checking import validate, validate_slots
from chorus.common.tasks.joining import Joining
from chorus.common.tasks.parts import (
    PART_BYTES,
    Part,
    Place,
    RunningDigest,
    Walk,
    arrays_for,
    digest_of_parts,
    divide,
    slot_bytes,
    slots_of_part,
)
from chorus.common.tasks.trajectory import Trajectory, digest
from tests.playground import Game, Script, ScriptedTeam, scripts, tensors_for, training_task, write_script
from tests.playground import settings as configured


def joined(parts: Iterator[Part] | list[Part], game: Game, instances: int | None = None) -> Trajectory:
    """What comes of parts."""
    joining = Joining(game.spec, game.config.episodes, min(instances or game.config.episodes, game.config.episodes))
    found = None
    for part in parts:
        assert found is None, "nothing comes after the last part"
        found = joining.add(part)
    assert found is not None
    return found


every_kind = scripts(bounds=st.sampled_from([(), ((0.0, 1.0),)]), episodes=st.integers(2, 6))


@settings(max_examples=150, deadline=None)
@given(script=every_kind, instances=st.integers(1, 6), bound=st.integers(1, 5000))
def test_parts_joined_are_the_whole_byte_for_byte(script: Script, instances: int, bound: int) -> None:
    game = Game.of(script, configured())
    whole = game.play()
    parts = list(divide(whole, instances, bound))
    size = min(instances, script.episodes)
    room = slots_of_part(game.spec, size, bound)
    assert all(1 <= part.slots <= room for part in parts)
    assert all(part.nbytes <= max(bound, room * slot_bytes(game.spec)) for part in parts)
    assert [part.last for part in parts] == [False] * (len(parts) - 1) + [True]
    for part in parts:
        validate_slots(part.arrays, game.spec)
    found = joined(parts, game, instances)
    assert (found.task, found.version) == (whole.task, whole.version)
    for name, array in whole.arrays.items():
        there = found.arrays[name]
        assert (there.dtype, there.shape) == (array.dtype, array.shape) and not there.flags.writeable
        assert there.tobytes() == array.tobytes()
    assert digest(found) == digest(whole)


@settings(max_examples=60, deadline=None)
@given(script=every_kind, bound=st.integers(1, 3000), unknown=st.booleans())
def test_what_is_played_in_parts_is_what_is_divided_afterwards(script: Script, bound: int, unknown: bool) -> None:
    game = Game.of(script, configured(), max_steps=None if unknown else script.time)
    player = Player(game.team, game.policies, game.config.seed)
    whole = game.play()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts_module.slots_of_part, "__defaults__", (bound,))
        played = list(player.parts(game.version, training_task(), script.episodes))
    divided = list(divide(whole, None, bound))
    assert [(part.place, part.slots, part.last) for part in played] == [
        (part.place, part.slots, part.last) for part in divided
    ]
    ours, theirs = RunningDigest(), RunningDigest()
    for one, other in zip(played, divided, strict=True):
        assert ours.after(one) == theirs.after(other)
    assert digest(joined(played, game)) == digest(whole)


@settings(max_examples=30, deadline=None)
@given(script=every_kind, instances=st.integers(1, 6))
def test_the_digest_after_the_last_part_covers_everything_that_was_played(script: Script, instances: int) -> None:
    played = Game.of(script, configured()).play()
    seen = [digest_of_parts(played, instances)]
    for name, array in played.arrays.items():
        if array.size and name != "lengths":
            other: Any = array.copy()
            last = played.lengths[-1] - 1, -1
            other[last] = ~other[last] if array.dtype == np.bool_ else other[last] + 1
            seen.append(digest_of_parts(replace(played, **{name: other}), instances))
    seen.append(digest_of_parts(replace(played, version=played.version + 1), instances))
    seen.append(digest_of_parts(replace(played, task=training_task(7, 7)), instances))
    assert len(set(seen)) == len(seen)


def test_a_part_weighs_no_more_than_its_bound_or_one_step() -> None:
    spec = make("spread?agents=3").spec
    assert slots_of_part(spec, 64) * slot_bytes(spec) <= PART_BYTES
    heavy = make("spread?agents=100").spec
    assert slots_of_part(heavy, 64) == 64, "one step of 64 episodes weighs 15 MiB"
    shapes = arrays_for(spec, 1)
    weighed = sum(int(np.prod(shape)) * dtype.itemsize for shape, dtype in shapes.values())
    assert weighed + 4 == slot_bytes(spec)


# -- what is refused


def spoilt(**changes: Any) -> Callable[[list[Part]], list[Part]]:
    """The second part is another one."""
    return lambda parts: [parts[0], replace(parts[1], **changes), *parts[2:]]


def with_arrays(number: int, **changes: Any) -> Callable[[list[Part]], list[Part]]:
    """One part has other arrays."""

    def spoil(parts: list[Part]) -> list[Part]:
        arrays = parts[number].arrays
        new = {name: change(arrays[name]) for name, change in changes.items()}
        return [*parts[:number], replace(parts[number], arrays={**arrays, **new}), *parts[number:][1:]]

    return spoil


def plus(number: int) -> Callable[[np.ndarray], np.ndarray]:
    return lambda array: (array + number).astype(array.dtype)


WRONG: dict[str, tuple[Callable[[list[Part]], list[Part]], str]] = {
    "a part twice": (lambda parts: [parts[0], *parts], "begins at episode 0, step 0; expected"),
    "a part missing": (lambda parts: [parts[0], *parts[2:]], "expected episode"),
    "the first part missing": (lambda parts: parts[1:], "expected episode 0, step 0"),
    "parts out of order": (lambda parts: [parts[0], parts[2], parts[1], *parts[3:]], "expected episode"),
    "a second attempt over the first": (lambda parts: [*parts[:3], *parts], "begins at episode 0, step 0"),
    "a part of another task": (spoilt(task=training_task(9, 9)), "came before training task (0, 0)"),
    "a part by another version": (spoilt(version=7), "by version 7 came before"),
    "an end too early": (spoilt(last=True), "says that it is the last"),
    "no end": (lambda parts: [*parts[:-1], replace(parts[-1], last=False)], "says that it is not the last"),
    "a part of another place": (spoilt(place=Place(2, 1)), "begins at episode 2, step 1"),
    "lengths of other episodes": (with_arrays(-1, lengths=plus(1)), "do not fit each other"),
    "lengths that are too many": (with_arrays(-1, lengths=lambda a: np.tile(a, 3)), "goes beyond its 5 episodes"),
    "an episode of no length": (with_arrays(-1, lengths=lambda a: a * 0), "lengths run from 0 to 0"),
    "lengths of another type": (with_arrays(-1, lengths=lambda a: a.astype(np.float32)), "lengths is float32"),
    "an array of another type": (with_arrays(1, actions=lambda a: a.astype(np.float32)), "actions is float32"),
    "an array that is too short": (with_arrays(1, terminated=lambda a: a[:-1]), "terminated is bool"),
    "an array with another side": (with_arrays(1, observations=lambda a: a[:, :, :1]), "observations is float32"),
    "masks that are not there": (with_arrays(1, action_masks=lambda a: a[:0]), "action_masks is bool"),
}


@pytest.fixture
def game() -> Game:
    """Five episodes of unequal lengths."""
    return Game.of(write_script(seed=4, time=9, episodes=5, agents=2, masked=True), configured(), max_steps=9)


@pytest.mark.parametrize("how", WRONG)
def test_parts_that_break_the_contract_are_refused(how: str, game: Game) -> None:
    spoil, message = WRONG[how]
    parts = list(divide(game.play(), 2, 400))
    assert len(parts) > 4
    with pytest.raises(MalformedData) as caught:
        joined(spoil(parts), game, 2)
    assert message in str(caught.value)


def test_a_part_that_holds_nothing_is_refused(game: Game) -> None:
    (part,) = divide(game.play())
    nothing = {name: array[:0] for name, array in part.arrays.items()}
    with pytest.raises(MalformedData, match="is empty"):
        joined([replace(part, arrays=nothing)], game)


def test_episodes_that_are_too_long_are_refused_as_soon_as_they_are(game: Game) -> None:
    parts = list(divide(game.play(), None, 400))
    joining = Joining(replace(game.spec, max_steps=None), 5, 5, longest=4)
    with pytest.raises(MalformedData, match=r"acted covers \d steps; expected 1 to 4"):
        for part in parts:
            joining.add(part)
    assert joining.place.step <= 6, "at the first part that goes beyond"


def test_other_waves_than_the_runs_own_are_refused(game: Game) -> None:
    with pytest.raises(MalformedData):
        joined(list(divide(game.play(), 2, 400)), game, 3)


# -- memory


def test_room_grows_where_nobody_says_how_long_episodes_are(monkeypatch: pytest.MonkeyPatch) -> None:
    script = write_script(seed=2, time=70, episodes=3, agents=2)
    for large in (1, 1 << 25):
        monkeypatch.setattr(room_module, "LARGE", large)
        for longest in (None, 70):
            made = Game.of(script, configured(), max_steps=longest)
            whole = made.play()
            assert digest(joined(divide(whole, 2, 300), made, 2)) == digest(whole)


def peak_of_playing(episodes: int, instances: int) -> int:
    """Bytes that playing a task in parts takes at most, each part being dropped once it is there."""
    environment = make("spread?agents=4&steps=40")
    config = resolve(Config(), environment.spec)
    policies = policies_of(environment.spec, config.sharing, config.network)
    player = Player(environment, policies, 0, instances=instances)
    policy = version(0, tensors_for(policies, config))
    tracemalloc.start()
    try:
        for part in player.parts(policy, training_task(), episodes):
            del part
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_what_an_actor_holds_does_not_grow_with_the_number_of_episodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts_module.slots_of_part, "__defaults__", (1 << 16,))
    few, many = peak_of_playing(8, 4), peak_of_playing(64, 4)
    assert many < few + (1 << 16)
    each = 40 * slot_bytes(make("spread?agents=4&steps=40").spec)
    assert 56 * each > 8 << 16, "the episodes themselves are many times that"


def test_a_joined_trajectory_is_held_once() -> None:
    script = write_script(seed=1, time=40, episodes=16, agents=3, size=200)
    game = Game.of(script, configured(), max_steps=40)
    parts = list(divide(game.play(), None, 1 << 16))
    whole = sum(part.nbytes for part in parts)
    joining = Joining(game.spec, 16, 16)
    tracemalloc.start()
    try:
        for part in parts:
            found = joining.add(part)
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert found is not None
    validate(found, game.spec, 16)
    assert held < 1.1 * whole + (1 << 16), "what is there in the end is one copy"


def test_a_walk_is_over_when_every_wave_is(game: Game) -> None:
    walk = Walk(5, 2)
    for part in divide(game.play(), 2, 400):
        assert not walk.over
        spans = walk.spans(part)
        assert sum(span.slots for span in spans) == part.slots
    assert walk.over


def test_an_agent_that_is_there_after_the_end_is_the_environments_fault() -> None:
    script = write_script(seed=3, time=8, episodes=4, agents=3)
    late = np.argwhere(np.arange(8)[:, None] >= script.lengths)[0]

    class Ghost(ScriptedTeam):
        def _show(self) -> None:
            super()._show()
            if len(self.told) == late[0]:
                self._frame.present[late[1]] = True

    game = Game.of(script, configured(), team=Ghost(script))
    with pytest.raises(MalformedData, match="acted is set after the end of an episode"):
        game.play()


def test_a_task_in_which_nobody_acts_is_the_environments_fault() -> None:
    script = write_script(seed=3, time=3, episodes=2, agents=2)
    script.present[:] = False
    with pytest.raises(MalformedData, match="nobody did anything"):
        Game.of(script, configured()).play()
