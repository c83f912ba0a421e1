"""JaxMARL: IPPO with a GRU on MPE simple_spread, environment and learning compiled by XLA into one function.

JaxMARL's wheel has the environments, not the training scripts. So this is one of the same kind, with the
hyper-parameters that its repository publishes for recurrent IPPO on MPE (`ippo_rnn_mpe.yaml`), but for the width, 64
instead of 128: encoder, GRU, and a hidden layer each for policy and value. Two things make it cheaper than the
published one, in its favour. All episodes have 25 steps and a batch holds whole episodes, so environments are reset
once a batch instead of at every step. And recurrent states are zero where a batch begins: no resets are within it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import jaxmarl
import optax
from flax.linen.initializers import constant, orthogonal
from work import AGENTS, EPISODE, Meter, asked, tell

WIDTH, ACTIONS = 64, 5
RATE, TOTAL = 5e-4, 2_000_000
"""The learning rate falls to zero over so many environment steps."""
MINIBATCHES, DISCOUNT, TRACE, CLIP = 2, 0.99, 0.95, 0.3
ENTROPY, VALUE, LARGEST_GRADIENT = 0.01, 1.0, 0.5


class Network(nn.Module):
    """Encoder, GRU, policy and value."""

    @nn.compact
    def __call__(self, state: Any, seen: Any) -> tuple[Any, Any, Any]:
        """`seen [row, feature]` to the next state, logits and values."""

        def layer(size: int, scale: float) -> nn.Dense:
            return nn.Dense(size, kernel_init=orthogonal(scale), bias_init=constant(0.0))

        state, memory = nn.GRUCell(WIDTH)(state, nn.tanh(layer(WIDTH, 2**0.5)(seen)))
        logits = layer(ACTIONS, 0.01)(nn.tanh(layer(WIDTH, 2.0)(memory)))
        values = layer(1, 1.0)(nn.tanh(layer(WIDTH, 2.0)(memory)))
        return state, logits, values[..., 0]


class Step(NamedTuple):
    """One step of all rows (agents of all episodes), `[time, row]` when stacked."""

    seen: Any
    action: Any
    chance: Any
    value: Any
    reward: Any


def main() -> None:
    """Learn until the work is done."""
    work = asked()
    world = jaxmarl.make("MPE_simple_spread_v3", max_steps=EPISODE - 1)  # it ends a step after `max_steps`
    rows = work.episodes * AGENTS
    network = Network()
    per_update = work.epochs * MINIBATCHES
    updates = TOTAL // (work.episodes * EPISODE)
    schedule = optax.linear_schedule(RATE, 0.0, per_update * updates)
    optimiser = optax.chain(optax.clip_by_global_norm(LARGEST_GRADIENT), optax.adam(schedule, eps=1e-5))

    def flat(by_agent: dict[str, Any]) -> Any:
        """A value for each agent, `[episode, …]`, to `[row, …]`."""
        stacked = jnp.stack([by_agent[name] for name in world.agents])
        return stacked.reshape(rows, *stacked.shape[2:])

    def play(weights: Any, key: Any) -> Step:
        """Whole episodes, from their first step to their last."""
        key, drawn = jax.random.split(key)
        seen, worlds = jax.vmap(world.reset)(jax.random.split(drawn, work.episodes))

        def step(carry: Any, _: Any) -> tuple[Any, Step]:
            worlds, seen, state, key = carry
            key, acting, moving = jax.random.split(key, 3)
            before = flat(seen)
            state, logits, values = network.apply(weights, state, before)
            actions = jax.random.categorical(acting, logits)
            chances = jnp.take_along_axis(jax.nn.log_softmax(logits), actions[:, None], 1)[:, 0]
            by_agent = dict(zip(world.agents, actions.reshape(AGENTS, work.episodes), strict=True))
            keys = jax.random.split(moving, work.episodes)
            seen, worlds, rewards, _, _ = jax.vmap(world.step_env)(keys, worlds, by_agent)
            return (worlds, seen, state, key), Step(before, actions, chances, values, flat(rewards))

        carry = (worlds, seen, jnp.zeros((rows, WIDTH)), key)
        return jax.lax.scan(step, carry, None, EPISODE)[1]

    def advantages(played: Step) -> Any:
        """Generalised advantage estimates; after the last step comes nothing."""

        def back(carry: Any, step: Step) -> tuple[Any, Any]:
            following, value = carry
            error = step.reward + DISCOUNT * value - step.value
            advantage = error + DISCOUNT * TRACE * following
            return (advantage, step.value), advantage

        nothing = jnp.zeros(rows)
        return jax.lax.scan(back, (nothing, nothing), played, reverse=True)[1]

    def loss(weights: Any, part: tuple[Step, Any, Any]) -> Any:
        played, advantage, target = part
        state = jnp.zeros((played.seen.shape[1], WIDTH))

        def forward(state: Any, seen: Any) -> tuple[Any, Any]:
            state, logits, values = network.apply(weights, state, seen)
            return state, (logits, values)

        logits, values = jax.lax.scan(forward, state, played.seen)[1]
        chances = jax.nn.log_softmax(logits)
        chance = jnp.take_along_axis(chances, played.action[..., None], 2)[..., 0]
        near = played.value + jnp.clip(values - played.value, -CLIP, CLIP)
        wrong = 0.5 * jnp.maximum(jnp.square(values - target), jnp.square(near - target)).mean()
        weight = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
        ratio = jnp.exp(chance - played.chance)
        gain = jnp.minimum(ratio * weight, jnp.clip(ratio, 1 - CLIP, 1 + CLIP) * weight).mean()
        entropy = -(jnp.exp(chances) * chances).sum(-1).mean()
        return VALUE * wrong - gain - ENTROPY * entropy

    @jax.jit
    def update(weights: Any, moments: Any, key: Any) -> tuple[Any, Any, Any, Any]:
        key, playing, *orders = jax.random.split(key, 2 + work.epochs)
        played = play(weights, playing)
        advantage = advantages(played)
        batch = (played, advantage, advantage + played.value)

        def minibatch(carry: Any, part: Any) -> tuple[Any, None]:
            weights, moments = carry
            change, moments = optimiser.update(jax.grad(loss)(weights, part), moments, weights)
            return (optax.apply_updates(weights, change), moments), None

        def epoch(carry: Any, key: Any) -> tuple[Any, None]:
            order = jax.random.permutation(key, rows)

            def divided(values: Any) -> Any:
                apart = values[:, order].reshape(EPISODE, MINIBATCHES, -1, *values.shape[2:])
                return jnp.swapaxes(apart, 0, 1)

            return jax.lax.scan(minibatch, carry, jax.tree.map(divided, batch))

        (weights, moments), _ = jax.lax.scan(epoch, (weights, moments), jnp.stack(orders))
        return weights, moments, key, played.reward.sum() / work.episodes

    key = jax.random.key(work.seed)
    weights = network.init(key, jnp.zeros((1, WIDTH)), jnp.zeros((1, world.observation_space("agent_0").shape[0])))
    moments = optimiser.init(weights)
    meter, done = Meter(work), False
    while not done:
        weights, moments, key, mean_return = update(weights, moments, key)
        done = meter.learned(EPISODE * rows, work.episodes, float(mean_return))
    tell(meter)


if __name__ == "__main__":
    main()
