"""An environment's exceptions are its own: told by its own frames, and none of them ends a process unnoticed."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from chorus.common.environments import make
from chorus.common.environments.adapters.lockstep import Lockstep
from chorus.common.environments.checks.purity import prove
from chorus.common.environments.user_errors import blame, frames
from chorus.common.errors import EnvironmentFault
from tests.common.environments.toys import Script


class Vendors(BaseException):
    """What some simulators raise."""


class Raising(Script):
    """Raises in its second step, or elsewhere."""

    def __init__(self, error: BaseException, where: str = "step") -> None:
        super().__init__(["a", "a", "a", ""], cut={3: "a"})
        self.possible_agents = ["a"]
        self._error, self._where = error, where

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        if self._where == "reset" and seed:
            raise self._error
        return super().reset(seed)

    def step(self, actions: dict[str, Any]) -> Any:
        if self._where == "step" and self.now == 1:
            raise self._error
        return super().step(actions)


@pytest.fixture(autouse=True)
def _no_keyboard() -> Iterator[None]:
    """As in actors, where Chorus itself takes care of Ctrl-C."""
    before = signal.signal(signal.SIGINT, lambda number, frame: None)
    yield
    signal.signal(signal.SIGINT, before)


ENDINGS = [SystemExit(0), SystemExit(3), KeyboardInterrupt(), GeneratorExit(), Vendors("no licence")]


@pytest.mark.parametrize("where", ["step", "reset"])
@pytest.mark.parametrize("error", ENDINGS, ids=repr)
def test_what_would_end_the_process_is_the_environments_fault(error: BaseException, where: str) -> None:
    environment = Lockstep(lambda drawing: Raising(error, where), name="toy", package="toy 1")
    with pytest.raises(EnvironmentFault, match=f"'toy'.*it raised {type(error).__name__}.*would end the process"):
        environment.reset(1, np.random.default_rng(0))
        for _ in range(3):
            environment.step(np.zeros((1, 1, 1), np.int32))


@pytest.mark.parametrize("error", ENDINGS, ids=repr)
def test_so_it_is_in_a_vectorised_environment_and_in_a_constructor(error: BaseException) -> None:
    class Vectorised:
        def __init__(self) -> None:
            inner: Any = make("spread")
            self.spec, self.reset, self.close = inner.spec, inner.reset, inner.close

        def step(self, actions: Any) -> Any:
            raise error

    with pytest.raises(EnvironmentFault, match=f"{type(error).__name__}.*would end the process"):
        prove(Vectorised)  # type: ignore[arg-type]
    with pytest.raises(EnvironmentFault, match=f"cannot be made: {type(error).__name__}"):
        make(f"tests.common.environments.test_user_errors:constructed?kind={type(error).__name__}")


def constructed(kind: str) -> Any:
    raise next(error for error in ENDINGS if type(error).__name__ == kind)


def unfinished() -> Any:
    return {"settings": 1}["q"]


def test_an_exception_in_a_constructor_is_told_by_the_environments_frames() -> None:
    with pytest.raises(EnvironmentFault, match=r"cannot be made: KeyError: 'q'") as fault:
        make("tests.common.environments.test_user_errors:unfinished")
    told = str(fault.value)
    assert "mend what that line says" in told
    assert "factory.py" not in told and "registry.py" not in told, "Chorus's own frames are nobody's business"


def test_causes_are_told_too_and_ordinary_exceptions_stay_what_they_are() -> None:
    try:
        try:
            unfinished()
        except KeyError as error:
            raise RuntimeError("no bridge") from error
    except RuntimeError as error:
        assert blame(error, "environment 'toy'") is error
        told = frames(error)
    assert "KeyError: 'q'" in told and "RuntimeError: no bridge" in told and "raised by environment 'toy'" in told


def test_a_person_who_presses_ctrl_c_is_obeyed() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    pressed = KeyboardInterrupt()
    assert blame(pressed, "environment 'toy'") is pressed
