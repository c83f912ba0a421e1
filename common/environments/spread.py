"""Cooperative navigation: N agents spread over N landmarks, K episodes at once (Lowe et al. 2017, MPE simple_spread).

The same dynamics, observations and rewards as `mpe2`'s simple_spread_v3, with the reward in its two parts:

    individual_i = −(number of other agents that agent i collides with)
    team         = −Σ_landmarks min_agents |agent − landmark|

so that `mpe2`'s own reward is `local_ratio · individual_i + (1 − local_ratio) · team`.

Where the time goes: a step of 32 episodes is some thirty NumPy calls on a few hundred numbers, so that the number of
calls is what counts. All state lies in one array `[quantity, episode]`, with the episode last, so that every call runs
over long contiguous stretches; an observation is a selection of its rows. Physics is in float64, because contact is
stiff and an error of float32 would grow past 1e-5 within one episode.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chorus.common.environments.address import Address
from chorus.common.environments.interface import ActionArray, AgentSpec, EnvironmentSpec, FloatArray, Frame, Outcome
from chorus.common.errors import EnvironmentFault

PACKAGE = "chorus-spread 1"  # to be counted up whenever the numbers that an episode yields change

CHOICES = ((0.0, 0.0), (-1.0, 0.0), (1.0, 0.0), (0.0, -1.0), (0.0, 1.0))  # stay, left, right, down, up
THRUST = 5.0  # force of an action; every mass is 1
TIME_STEP = 0.1
DAMPING = 0.25  # share of the velocity lost in a step
CONTACT_DISTANCE = 0.3  # two radii of 0.15
CONTACT_FORCE = 100.0
CONTACT_MARGIN = 1e-3
REACH = CONTACT_DISTANCE + 40 * CONTACT_MARGIN  # beyond it contact gives less than CONTACT_FORCE · 1e-20: nothing


def make(address: Address, render: bool) -> Spread:
    """`spread?agents=3&steps=25`."""
    del render  # it can always draw
    address.allow(("agents", "steps"))
    agents, steps = address.integer("agents", 3, least=1), address.integer("steps", 25, least=1)
    return Spread(agents, steps, name=address.spec)


class Spread:
    """K episodes of N agents, as `chorus.common.environments.interface.Environment` has it."""

    def __init__(self, agents: int = 3, steps: int = 25, *, name: str = "spread") -> None:
        count = 4 + 2 * agents + 4 * (agents - 1)
        self._agents = agents
        self._steps = steps
        self._spec = EnvironmentSpec(
            name=name,
            package=PACKAGE,
            agents=tuple(AgentSpec(f"agent_{i}", (count,), choices=(5,)) for i in range(agents)),
            max_steps=steps,
            team_reward=True,
        )
        self._world: _World | None = None
        self._step = 0

    @property
    def spec(self) -> EnvironmentSpec:
        """Team, spaces and length of the episodes."""
        return self._spec

    def reset(self, episodes: int, generator: np.random.Generator) -> Frame:
        """Agents and landmarks anywhere in the square from −1 to 1, at rest."""
        places = generator.uniform(-1.0, 1.0, (episodes, 2 * self._agents, 2))
        return self.place(places[:, : self._agents], places[:, self._agents :])

    def place(
        self, agents: NDArray[np.float64], landmarks: NDArray[np.float64], velocities: NDArray[np.float64] | None = None
    ) -> Frame:
        """Begin episodes from given places: `agents`, `landmarks` and `velocities` are `[episode, agent, 2]`."""
        episodes = len(agents)
        if self._world is None or self._world.episodes != episodes:
            self._world = _World(self._agents, episodes)
        world = self._world
        world.position[:] = np.transpose(agents)
        world.landmark[:] = np.transpose(landmarks)
        world.velocity[:] = 0.0 if velocities is None else np.transpose(velocities)
        world.measure()
        world.observe()
        self._step = 0
        return world.running.frame

    def step(self, actions: ActionArray) -> Outcome:
        """Move every agent; `actions` is int32 `[episode, agent, 1]`: stay, left, right, down, up."""
        world = self._world
        if world is None:
            raise EnvironmentFault(f"environment {self._spec.name!r}: step before reset; call reset first")
        self._step += 1
        if self._step > self._steps:
            world.rewards.fill(0.0)
            world.team_rewards.fill(0.0)
            return world.finished
        world.move(actions)
        world.measure()
        world.judge()
        world.observe()
        return world.running if self._step < self._steps else world.last

    def render(self) -> NDArray[np.uint8] | None:
        """The first episode: landmarks grey, agents in colours of their own."""
        if self._world is None:
            return None
        from chorus.common.environments.spread_picture import draw

        return draw(self._world.position[:, :, 0].T, self._world.landmark[:, :, 0].T, 0.5 * CONTACT_DISTANCE)

    def close(self) -> None:
        """Nothing is held."""


class _World:
    """The state of K episodes, and every buffer that a step needs.

    Rows of `_rows` `[quantity, episode]`, each group coordinate first:
        2N   velocity  `[2, agent]`
        4N   point     `[2, entity]`, agents before landmarks
        4N²  offset    `[2, entity, agent]`, where each entity lies as seen from each agent
    """

    def __init__(self, agents: int, episodes: int) -> None:
        n, k = agents, episodes
        self.episodes = k
        self._rows = np.zeros((6 * n + 4 * n * n, k))
        self.velocity = self._rows[: 2 * n].reshape(2, n, k)
        self._point = self._rows[2 * n : 6 * n].reshape(2, 2 * n, k)
        self.position = self._point[:, :n]
        self.landmark = self._point[:, n:]
        self._offset = self._rows[6 * n :].reshape(2, 2 * n, n, k)
        self._square = np.empty((2, 2 * n, n, k))
        self._distance = np.empty((2 * n, n, k))
        self._agent_distance = self._distance[:n]
        self._landmark_distance = self._distance[n:]

        self._thrust = np.array(CHOICES).T * (THRUST * TIME_STEP)
        self._change = np.empty((2, n, k))
        self._travel = np.empty((2, n, k))
        self._near = np.empty((n, n, k), bool)
        self._distinct = np.empty((n, n, k), bool)
        self._depth = np.empty((n, n, k))
        self._push = np.zeros((n, n, k))
        self._pushes = np.empty((2, n, n, k))
        self._pushed = np.empty((2, n, k))

        self._hit = np.empty((n, n, k), bool)
        self._hits = np.empty((n, k), np.float32)
        self._closest = np.empty((n, k))
        self._cover = np.empty(k)
        self.rewards = np.zeros((k, n), np.float32)
        self.team_rewards = np.zeros(k, np.float32)

        seen = _seen(n)
        observations = np.zeros((k, n, 4 + 2 * n + 4 * (n - 1)), np.float32)
        self._selection = seen.ravel()
        self._selected = np.empty((seen.size, k))
        self._source = self._selected.reshape(*seen.shape, k).transpose(2, 0, 1)
        self._target = observations[:, :, : seen.shape[1]]  # the other 2(N − 1) stay zero: nobody speaks
        self.running = self._outcome(observations, present=True, truncated=False, over=False)
        self.last = self._outcome(observations, present=False, truncated=True, over=True)
        self.finished = self._outcome(observations, present=False, truncated=False, over=True)

    def _outcome(self, observations: FloatArray, *, present: bool, truncated: bool, over: bool) -> Outcome:
        shape = observations.shape[:2]
        return Outcome(
            rewards=self.rewards,
            team_rewards=self.team_rewards,
            terminated=np.zeros(shape, bool),
            truncated=np.full(shape, truncated),
            over=np.full(shape[0], over),
            frame=Frame(observations, np.full(shape, present)),
        )

    def move(self, actions: ActionArray) -> None:
        """Advance by one time step: places by the old velocities, velocities by the forces at the old places."""
        self._thrust.take(actions[:, :, 0].T.astype(np.intp), axis=1, out=self._change)
        self._collide()
        np.multiply(self.velocity, TIME_STEP, out=self._travel)
        self.position += self._travel
        self.velocity *= 1 - DAMPING
        self.velocity += self._change

    def _collide(self) -> None:
        """Add contact: at distance d two agents push each other apart by `F · m · log(1 + e^((d₀ − d) / m))`.

        F, m and d₀ are `CONTACT_FORCE`, `CONTACT_MARGIN` and `CONTACT_DISTANCE`.
        """
        distance, near, push = self._agent_distance, self._near, self._push
        np.less(distance, REACH, out=near)
        near &= np.greater(distance, 0.0, out=self._distinct)  # nobody pushes himself
        np.subtract(CONTACT_DISTANCE, distance, out=self._depth)
        self._depth /= CONTACT_MARGIN
        push.fill(0.0)
        np.logaddexp(0.0, self._depth, out=push, where=near)
        push *= -CONTACT_FORCE * CONTACT_MARGIN * TIME_STEP
        np.divide(push, distance, out=push, where=near)
        np.multiply(self._offset[:, : len(push)], push, out=self._pushes)
        self._change += np.add.reduce(self._pushes, axis=1, out=self._pushed)

    def measure(self) -> None:
        """Find where everything lies as seen from every agent, and how far away."""
        np.subtract(self._point[:, :, None], self.position[:, None], out=self._offset)
        np.multiply(self._offset, self._offset, out=self._square)
        np.add(self._square[0], self._square[1], out=self._distance)
        np.sqrt(self._distance, out=self._distance)

    def judge(self) -> None:
        """Give both parts of the reward."""
        np.less(self._agent_distance, CONTACT_DISTANCE, out=self._hit)
        np.add.reduce(self._hit, axis=0, dtype=np.float32, out=self._hits)
        np.subtract(1.0, self._hits.T, out=self.rewards)  # everyone is at distance 0 from himself
        np.minimum.reduce(self._landmark_distance, axis=1, out=self._closest)
        np.add.reduce(self._closest, axis=0, out=self._cover)
        np.negative(self._cover, out=self.team_rewards, casting="same_kind")

    def observe(self) -> None:
        """Write what every agent sees."""
        self._rows.take(self._selection, axis=0, out=self._selected, mode="wrap")
        self._target[...] = self._source


def _seen(n: int) -> NDArray[np.intp]:
    """Which rows of `_World._rows` every agent sees, `[agent, observation]`.

    Its velocity, its position, the landmarks and then the other agents, as they lie from it.
    """
    velocity, point, offset = 0, 2 * n, 6 * n
    xy = np.arange(2)
    rows = []
    for agent in range(n):
        others = [other for other in range(n) if other != agent]
        entities = np.array([*range(n, 2 * n), *others])
        rows.append(
            [
                *(velocity + xy * n + agent),
                *(point + xy * 2 * n + agent),
                *(offset + (xy * 2 * n + entities[:, None]) * n + agent).ravel(),
            ]
        )
    return np.array(rows)
