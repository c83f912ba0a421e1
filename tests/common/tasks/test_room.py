"""Large arrays of trajectories in files of a folder: the same bytes, no memory of their own, and a full disk is an
error."""

from __future__ import annotations

import errno
import mmap
import os
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chorus.common.errors import ConfigError
from chorus.common.tasks import room as room_module
from chorus.common.tasks.joining import Joining
from chorus.common.tasks.parts import divide
from chorus.common.tasks.room import Room
from chorus.common.tasks.trajectory import Trajectory, digest
from tests.playground import Game, settings, write_script


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Arrays are large as soon as they have more than 4 KiB."""
    monkeypatch.setattr(room_module, "LARGE_BESIDE_A_FOLDER", 1 << 12)


@pytest.fixture
def few_bytes() -> Iterator[int]:
    """So many bytes no file of this process may exceed: a disk that is full, without a disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 13, before[1]))
    yield 1 << 13
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def game_of(episodes: int) -> Game:
    script = write_script(seed=1, time=20, episodes=episodes, agents=3, size=50)
    return Game.of(script, settings(), max_steps=20)


def joined(game: Game, whole: Trajectory, room: Room, longest: int | None = None) -> Trajectory:
    joining = Joining(game.spec, game.config.episodes, 2, longest, room)
    found = None
    for part in divide(whole, 2, 3000):
        found = joining.add(part)
    assert found is not None
    return found


def is_in_file(array: np.ndarray[Any, Any]) -> bool:
    """Whether it lies in a mapping, which nothing but a file made here: anonymous ones begin at 32 MiB."""
    base: Any = array
    while isinstance(base, np.ndarray | memoryview):
        base = base.base if isinstance(base, np.ndarray) else base.obj
    return isinstance(base, mmap.mmap)


def in_memory(trajectory: Trajectory) -> int:
    """Bytes that no file has."""
    return sum(array.nbytes for array in trajectory.arrays.values() if not is_in_file(array))


@pytest.mark.parametrize("known", [True, False])
def test_the_same_bytes_come_of_either(tmp_path: Path, known: bool) -> None:
    script = write_script(seed=1, time=20, episodes=8, agents=3, size=50)
    game = Game.of(script, settings(), max_steps=20 if known else None)
    whole = game.play()
    held, spilled = joined(game, whole, Room()), joined(game, whole, Room(tmp_path))
    assert is_in_file(spilled.observations)
    assert in_memory(held) == sum(array.nbytes for array in held.arrays.values())
    assert digest(spilled) == digest(held) == digest(whole)
    assert not any(array.flags.writeable for array in spilled.arrays.values())


def test_what_is_in_memory_does_not_grow_with_the_number_of_episodes(tmp_path: Path) -> None:
    room, held = Room(tmp_path), {}
    for episodes in (16, 64, 256):
        game = game_of(episodes)
        held[episodes] = in_memory(joined(game, game.play(), room))
    lengths = 4 * 256
    assert max(held.values()) <= len(Trajectory.NAMES) * room.large + lengths
    game = game_of(256)
    assert in_memory(joined(game, game.play(), Room())) > 10 * max(held.values())


def test_files_have_no_names_and_are_gone_with_their_arrays(tmp_path: Path) -> None:
    def mapped() -> int:
        return Path("/proc/self/maps").read_text().count(str(tmp_path))

    def opened() -> int:
        links = [os.path.realpath(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd")]
        return sum(str(tmp_path) in link for link in links)

    game = game_of(8)
    whole = game.play()
    found = joined(game, whole, Room(tmp_path))
    assert mapped() > 0
    assert not list(tmp_path.iterdir())
    del found
    joining = Joining(game.spec, 8, 2, room=Room(tmp_path))
    joining.add(next(divide(whole, 2, 3000)))
    assert opened() > 0
    del joining  # its actor is gone
    assert (mapped(), opened()) == (0, 0)


def test_a_disk_without_room_is_an_error_that_names_the_folder_and_the_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int, offset: int, length: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    game = game_of(8)
    whole = game.play()
    monkeypatch.setattr(os, "posix_fallocate", full)
    for act in (lambda: joined(game, whole, Room(tmp_path)), lambda: Room(tmp_path).see_writable()):
        with pytest.raises(OSError, match="No space left") as caught:
            act()
        assert caught.value.errno == errno.ENOSPC
        assert caught.value.filename == f"{tmp_path} (learner.spill)"


def test_a_limit_on_the_size_of_files_is_an_error_too(tmp_path: Path, few_bytes: int) -> None:
    game = game_of(64)
    whole = game.play()
    with pytest.raises(OSError, match="File too large") as caught:
        joined(game, whole, Room(tmp_path))
    assert whole.observations.nbytes > few_bytes
    assert "learner.spill" in str(caught.value.filename)


def test_room_is_taken_as_parts_come_not_for_the_longest_episode_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[int] = []
    fallocate = os.posix_fallocate

    def noted(descriptor: int, offset: int, length: int) -> None:
        taken.append(length)
        fallocate(descriptor, offset, length)

    script = write_script(seed=1, time=20, episodes=8, agents=3, size=50)
    game = Game.of(script, settings(), max_steps=None)
    whole = game.play()
    monkeypatch.setattr(os, "posix_fallocate", noted)
    found = joined(game, whole, Room(tmp_path), longest=10_000)
    assert digest(found) == digest(whole)
    assert sum(taken) <= whole.observations.nbytes + sum(array.nbytes for array in whole.arrays.values())


@pytest.mark.parametrize("kind", ["missing", "a file"])
def test_a_folder_in_which_no_file_can_be_written_is_refused(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "there"
    if kind == "a file":
        folder.touch()
    with pytest.raises(ConfigError, match=r"learner\.spill is '.*there', where no file can be written \(.*\); name a"):
        Room(folder).see_writable()


def test_a_writable_folder_is_left_as_it_was(tmp_path: Path) -> None:
    Room(tmp_path).see_writable()
    Room().see_writable()
    assert not list(tmp_path.iterdir())
