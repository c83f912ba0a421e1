"use strict";
// Runs side by side: groups of runs that differ by their seed alone, best first.
class ComparisonView {
  constructor(root) {
    this.root = root;
    this.axis = new AxisChoice(["agent_steps", "update", "env_steps", "seconds"], () => this.charts());
    this.returns = new Chart("Return of an episode, summed over agents");
    this.returns.element.classList.add("wide");
    this.speed = new Chart("Speed (agent-steps a second)");
    this.entropy = new Chart("Entropy of the policy (nats)");
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { for (const chart of this.all()) chart.restyle(); });
  }

  all() { return [this.returns, this.speed, this.entropy]; }

  show(data) {
    this.data = data;
    const summary = data.groups.map((group) => [breakable(group.name), group.rank, String(group.runs.length), group.mean === null ? "–" : format.number(group.mean),
      group.low === null ? "–" : `${format.number(group.low)} … ${format.number(group.high)}`, group.iqm === null ? "–" : format.number(group.iqm), format.duration(group.seconds), format.large(group.rate)]);
    const wide = (element) => { element.classList.add("wide"); return element; };
    const differing = data.differing.length ? [wide(panel("Settings that differ", table("All others are equal", [["group", false], ...data.differing.map((name) => [name, false])],
      data.groups.map((group) => [group.name, ...data.differing.map((name) => group.settings[name] ?? "–")]))))] : [];
    const runs = data.groups.flatMap((group) => group.runs.map((run) => [run.name, group.name, run.seed, run.state, format.number(run.update), format.number(run.result),
      format.duration(run.seconds), format.large(run.rate), run.waiting === null ? "–" : format.share(run.waiting), run.stepping === null ? "–" : format.share(run.stepping)]));
    const troubles = data.groups.flatMap((group) => group.runs.filter((run) => run.problem).map((run) => `${run.name}: ${run.problem}`));
    this.root.replaceChildren(
      make("header", {}, make("h1", {}, data.title), make("p", { class: "quiet" }, data.about)),
      troubles.length ? make("section", { class: "panel trouble", "aria-label": "What went wrong" }, make("h2", {}, "What went wrong"), make("ul", {}, troubles.map((line) => make("li", {}, line)))) : "",
      make("div", { class: "panels" },
        wide(panel("Results", table(data.measure, [["group", false], ["rank", true], ["runs", true], ["mean", true], ["95 % interval", true], ["interquartile mean", true], ["time of a run", true], ["agent-steps/s", true]], summary, 0))),
        wide(make("section", { "aria-label": "Curves" }, make("h2", {}, "Curves"), this.axis.element, make("div", { class: "panels" }, this.all().map((chart) => chart.element)))),
        ...(data.films.length ? [wide(panel("The team at play", make("div", { class: "films" }, data.films.map((one) => film(one.source, one.name)))))] : []),
        ...differing,
        wide(panel("Runs and timing", table("Share of a run's time spent waiting for actors' episodes, and in steps of the optimiser",
          [["run", false], ["group", false], ["seed", true], ["state", false], ["updates", true], ["result", true], ["time", true], ["agent-steps/s", true], ["waiting", true], ["stepping", true]], runs))),
        ...(data.groups.length ? [wide(panel("Settings", make("details", {}, make("summary", {}, `All settings of ${data.groups[0].name}`), table("Everything resolved", [["setting", false], ["value", false]], Object.entries(data.groups[0].all_settings).map(([name, value]) => [breakable(name), value])))))] : [])),
      make("footer", {}, data.made));
    this.charts();
  }

  charts() {
    const axis = this.axis.chosen;
    const series = (column) => this.data.groups.slice(0, 8).filter((group) => group.curves[axis]).map((group, place) => {
      const curves = group.curves[axis], one = curves[column];
      return { name: group.name, x: curves.x, y: one.mean, low: one.low, high: one.high, colour: `--c${place % 8}`, dashes: place % 2 === 1 };
    });
    this.returns.show(series("smooth_return"), axis);
    this.speed.show(series("agent_steps_per_second"), axis);
    this.entropy.show(series("entropy"), axis);
  }
}
