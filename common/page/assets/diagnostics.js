"use strict";
// The charts beside the return: what a textbook looks at in a policy-gradient run, and why.
const DIAGNOSTICS = [
  { title: "Return by part", columns: [["individual_return", "agents' own rewards"], ["team_return", "the team's reward"]] },
  { title: "Explained variance of the baseline", about: "Of the returns: 1 predicts them, 0 is no better than their mean.",
    columns: [["explained_variance", "explained variance"]] },
  { title: "Entropy of the policy (nats)", columns: [["entropy", "entropy"]] },
  { title: "KL divergence (nats)", about: "Of the updated policy from the one that acted, seen at an update's last step.",
    columns: [["kl", "KL divergence"]], level: ["loss.target_kl", "no further step above"] },
  { title: "Clip fraction", about: "Share of agent-steps that the clipped surrogate took out of an update's last step.",
    columns: [["surrogate_clipped", "clip fraction"]] },
  { title: "Importance ratio", about: "Probability of the actions taken: updated policy over acting policy, last step.",
    columns: [["importance_ratio_mean", "mean"], ["importance_ratio_max", "greatest"]] },
  { title: "Passes over each batch", about: "Fewer than were asked for where the KL divergence ended an update.",
    columns: [["passes", "passes over each batch"]], level: ["update.passes", "asked for"] },
  { title: "Norm of the gradient", about: "Before it is clipped, of an update's first step.", columns: [["gradient_norm", "norm"]],
    level: ["optimiser.clip", "clipped above"] },
  { title: "Share of gradients clipped", columns: [["clipped", "share of gradients clipped"]] },
  { title: "Signal to noise of the gradient", columns: [["signal_to_noise", "signal to noise"]] },
  { title: "Learning rate", columns: [["learning_rate", "learning rate"]] },
  { title: "Length of an episode (steps)", columns: [["episode_length", "length of an episode"]] },
  { title: "Speed (agent-steps a second)", columns: [["agent_steps_per_second", "agent-steps a second"]] },
  { title: "Time of an update (s)", columns: [["batch_seconds", "waiting for episodes"], ["step_seconds", "optimiser steps"]] },
  { title: "Policy lag (updates)", columns: [["policy_lag", "policy lag"]] },
  { title: "Disagreement of learner and actors", about: "Greatest relative difference of log-probabilities: rounding, about 1e-6, at lag 0.",
    columns: [["policy_disagreement", "disagreement"]] },
];
const LEVEL_AFTER = 3;  // so many points that are all the same make a level line

// All of them, for one run; those that would show a level line are told in words instead.
class Diagnostics {
  constructor() {
    this.charts = DIAGNOSTICS.map((one) => new Chart(one.title, one.about));
    this.levels = make("p", { class: "quiet" });
    this.element = make("section", { "aria-label": "Diagnostics" }, make("h2", {}, "Diagnostics"), this.levels,
      make("div", { class: "panels" }, this.charts.map((chart) => chart.element)));
  }

  show(run, axis) {
    const told = [];
    DIAGNOSTICS.forEach((one, place) => {
      const known = one.columns.filter(([column]) => (run.curves[column] ?? []).some((value) => value !== null));
      const level = known.length && run.curves.update.length >= LEVEL_AFTER && known.every(([column]) => new Set(run.curves[column]).size === 1);
      if (level) told.push(...known.map(([column, name]) => `${known.length > 1 ? `${one.title}, ` : ""}${name} ${format.number(run.curves[column][0])}`));
      this.charts[place].show(known.length && !level ? [...this.lines(known, run, axis), ...this.bound(one, run, axis)] : [], axis);
    });
    this.levels.textContent = told.length ? `The same in all updates: ${told.join("; ")}.` : "";
    this.levels.hidden = !told.length;
  }

  lines(columns, run, axis) {
    return columns.map(([column, name], number) => ({ name, x: run.curves[axis], y: run.curves[column], colour: number ? "--c1" : "--c0", dashes: number > 0 }));
  }

  // The setting that bounds what the chart shows, as a line of its own.
  bound(one, run, axis) {
    const value = one.level ? Number.parseFloat(run.settings?.[one.level[0]]) : NaN;
    if (!Number.isFinite(value)) return [];
    const x = run.curves[axis];
    return [{ name: `${one.level[1]} ${format.number(value)}`, x, y: x.map(() => value), colour: "--c7", dashes: true }];
  }

  restyle() { for (const chart of this.charts) chart.restyle(); }
}
