"use strict";
// One run: how it stands, its curves, where its time goes, who plays, what it was told to do, what went wrong.
const STATES = { training: ["good", "training"], finished: ["good", "finished"], "waiting for actors": ["warn", "waiting for actors"],
  stopping: ["warn", "stopping"], stopped: ["warn", "stopped before its last update"], unreadable: ["bad", "cannot be read"] };
const ACTOR_COLUMNS = [["actor", false], ["state", false], ["tasks done", true], ["tasks a minute", true], ["updates behind", true],
  ["heard ago (s)", true], ["remark", false]];
const ROWS_SHOWN = 100;

class RunView {
  constructor(root) {
    this.root = root;
    this.axis = new AxisChoice(["agent_steps", "update", "env_steps", "seconds"], () => this.charts());
    this.returns = new Chart("Return of an episode, summed over agents");
    this.returns.element.classList.add("wide");
    this.diagnostics = new Diagnostics();
    this.head = make("header");
    this.troubles = make("div");
    this.time = make("div");
    this.actors = new ActorTable();
    this.accounts = make("div");
    this.films = make("div");
    this.settings = make("div");
    this.foot = make("footer");
    this.curves = make("section", { "aria-label": "Return" }, make("h2", {}, "Does it learn?"), this.axis.element, this.returns.element);
    this.below = make("div", { class: "panels" }, this.films, this.time, this.accounts, this.actors.element);
    root.replaceChildren(this.head, this.troubles, this.curves, this.below, this.diagnostics.element, this.settings, this.foot);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.restyle());
  }

  show(run) {
    const before = this.run;
    this.run = run;
    document.title = `${run.environment || run.name} · ${run.state}`;
    this.showHead(run);
    this.showTroubles(run);
    this.charts();
    this.showTime(run);
    this.actors.show(run.actors);
    this.showAccounts(run);
    if (JSON.stringify(before?.films) !== JSON.stringify(run.films) || before?.update === 0) this.showFilms(run);
    if (JSON.stringify(before?.settings) !== JSON.stringify(run.settings)) this.showSettings(run);
    this.foot.replaceChildren(`Chorus ${run.chorus ?? ""} · run ${run.run ?? ""} · ${run.folder ?? ""}`);
    if (before && before.state !== run.state) announce(`The run is ${run.state}`);
  }

  restyle() { for (const chart of [this.returns, this.diagnostics]) chart.restyle(); }

  showHead(run) {
    const [kind, words] = failed(run) ? ["bad", "ended by a fault"] : STATES[run.state] ?? ["warn", run.state];
    const left = run.updates - run.update, running = run.state === "training";
    const figures = [
      ["Return now", format.number(run.return), "mean of the last stretch"],
      ...(run.evaluations?.update?.length ? [["Last evaluation", format.number(run.evaluations.evaluation_return.at(-1)), "fresh episodes"]] : []),
      ["Update", format.number(run.update), `of ${format.number(run.updates)}`],
      ["Agent-steps", format.large(run.agent_steps), ""],
      ["Speed now", format.large(run.rate), "agent-steps a second"],
      ["Time so far", format.duration(run.seconds), ""],
      ...(running ? [["Time left", run.seconds_per_update ? format.duration(left * run.seconds_per_update) : "–", "at the speed now"]] : []),
      ...(run.actors ? [["Actors", format.number(run.actors.length), run.lag === undefined ? "" : `policy lag up to ${run.lag}`]] : []),
    ];
    this.head.replaceChildren(
      make("h1", {}, run.environment || run.name), make("p", {}, make("span", { class: `badge ${kind}` }, words), " ", make("span", { class: "quiet" }, run.name)),
      make("progress", { max: run.updates || 1, value: run.update ?? 0, "aria-label": "Updates done" }),
      make("dl", { class: "figures" }, figures.map(([name, value, small]) => make("div", {}, make("dt", {}, name), make("dd", {}, value, small ? make("span", { class: "small" }, small) : null)))),
    );
  }

  showTroubles(run) {
    const lines = [run.problem, ...(run.remarks ?? []).map((remark) => `Not reproducible: ${remark}`)].filter(Boolean);
    const log = run.troubles ?? [];
    const grave = log.filter((one) => one.level !== "warning");
    const key = JSON.stringify([lines, log]);
    if (key === this.troublesKey) return;
    this.troublesKey = key;
    const told = grave.map((one) => make("li", {}, one.time ? `${one.time.replace("T", " ").slice(0, 19)} ` : "", one.text));
    const parts = [];
    if (lines.length || grave.length) {
      parts.push(make("section", { class: "panel trouble", "aria-label": "What went wrong" }, make("h2", {}, "What went wrong"),
        make("ul", {}, lines.map((line) => make("li", {}, line)), told)));
      announce(`Something went wrong: ${lines[0] ?? grave.at(-1).text}`);
    }
    const warnings = log.filter((one) => one.level === "warning");
    if (warnings.length) parts.push(make("details", {}, make("summary", {}, warnings.length === 1 ? "A warning in the log" : `${warnings.length} warnings in the log, newest last`),
      make("ul", {}, warnings.map((one) => make("li", {}, make("pre", {}, `${one.time.replace("T", " ").slice(0, 19)} ${one.text}`))))));
    this.troubles.replaceChildren(...parts);
  }

  charts() {
    const run = this.run, axis = this.axis.chosen, curves = run?.curves ?? {}, evaluations = run?.evaluations ?? {};
    this.curves.hidden = this.diagnostics.element.hidden = !curves.update;
    if (!curves.update) return;
    const line = (name, column, colour, more = {}) => ({ name, x: curves[axis], y: curves[column] ?? [], colour, ...more });
    this.returns.show([
      line("the batch's episodes", "mixed_return", "--c0", { faint: true }), line("smoothed", "smooth_return", "--c0"),
      ...(evaluations.update?.length ? [{ name: "evaluation", x: evaluations[axis], y: evaluations.evaluation_return, colour: "--c1", points: true }] : []),
      ...(run.chance === null || run.chance === undefined ? [] : [{ name: "random play", x: curves[axis], y: curves.update.map(() => run.chance), colour: "--c7", dashes: true }]),
    ], axis);
    this.diagnostics.show(run, axis);
  }

  showTime(run) {
    const parts = [], timing = run.timing, spent = run.spent;
    if (spent && run.seconds) {
      const rest = Math.max(0, run.seconds - Object.values(spent).reduce((sum, value) => sum + value, 0));
      parts.push(bars("Of the run's wall-clock time", { ...spent, "record, checkpoints, pauses": rest }, run.seconds));
    }
    if (timing?.task) parts.push(make("p", { class: "quiet" }, `A task takes an actor ${format.duration(timing.task)} from lease to trajectory, `
      + `and the learner ${format.duration(timing.gradient)} for its first gradient (mean, queue included).`));
    if (run.seconds_per_update) parts.push(make("p", { class: "quiet" }, `An update takes ${format.duration(run.seconds_per_update)} now.`));
    this.time.replaceChildren(...(parts.length ? [panel("Where the time goes", parts)] : []));
    this.time.hidden = !parts.length;
  }

  showAccounts(run) {
    const counts = run.accounts;
    this.accounts.hidden = !counts;
    if (!counts) return;
    const names = ["completed", "repeated", "failed", "requeued", "outstanding"];
    const balanced = names.reduce((sum, name) => sum + counts[name], 0) === counts.issued;
    const rows = [["issued", format.number(counts.issued)], ...names.map((name) => [name, format.number(counts[name])]),
      ["audited", format.number(counts.audited)], ["audits that differed", format.number(counts.unequal)], ["streams refused", format.number(counts.refused)],
      ...Object.entries(run.refusals ?? {}).map(([reason, count]) => [`refused: ${reason}`, format.number(count)])];
    this.accounts.replaceChildren(panel("The ledger's accounts",
      make("p", {}, balanced ? "Balanced: every lease is accounted for." : "NOT balanced: this is a bug in Chorus."), table("Leases of tasks", [["account", false], ["leases", true]], rows)));
  }

  showFilms(run) {
    const films = (run.films ?? []).map((one) => typeof one === "string" ? [`film/${encodeURIComponent(one)}`, one] : [one.source, one.name]);
    this.films.hidden = !films.length;
    this.films.classList.toggle("wide", films.length > 1);  // side by side
    this.films.replaceChildren(panel("The team at play", make("div", { class: "films" }, films.slice(0, 4).map(([source, name]) => film(source, name)))));
  }

  showSettings(run) {
    const entries = Object.entries(run.settings ?? {});
    this.settings.hidden = !entries.length;
    const place = make("div"), shown = (word) => place.replaceChildren(table("Everything resolved", [["setting", false], ["value", false]],
      entries.filter(([name, value]) => `${name} ${value}`.includes(word)).map(([name, value]) => [breakable(name), value])));
    shown("");
    this.settings.replaceChildren(panel("Settings", make("label", {}, "Find", make("input", { type: "search", oninput: (event) => shown(event.target.value) })), place));
  }
}

function failed(run) { return run.state !== "training" && run.state !== "finished" && (run.troubles ?? []).some((one) => one.level !== "warning"); }

function bars(title, parts, whole) {
  const entries = Object.entries(parts).filter(([, value]) => value > 0);
  const strip = make("div", { class: "bars", "aria-hidden": "true" }, entries.map(([, value], place) => {
    const part = make("span");
    part.style.flexGrow = String(value / whole);
    part.style.background = colour(`--c${place % 8}`);
    return part;
  }));
  const words = entries.map(([name, value], place) => {
    const mark = make("span", { "aria-hidden": "true" });
    mark.style.borderTopColor = colour(`--c${place % 8}`);
    return make("li", {}, mark, `${name} ${format.share(value / whole)}`);
  });
  return make("div", {}, make("h3", {}, title), strip, make("ul", { class: "legend" }, words));
}

class ActorTable {
  constructor() {
    this.column = 0;
    this.down = false;
    this.word = "";
    this.place = make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "The actors, one a row" });
    this.count = make("p", { class: "quiet" });
    this.heads = ACTOR_COLUMNS.map(([name, number], column) => make("th", { scope: "col", class: number ? "number" : null },
      make("button", { type: "button", onclick: () => this.sortBy(column) }, name)));
    this.body = make("tbody");
    this.place.append(make("table", {}, make("thead", {}, make("tr", {}, this.heads)), this.body));
    const find = make("label", {}, "Find", make("input", { type: "search", oninput: (event) => { this.word = event.target.value; this.draw(); } }));
    this.element = panel("Actors", find, this.count, this.place);
    this.element.classList.add("wide");
    this.rows = [];
  }

  show(rows) {
    this.element.hidden = !rows;
    this.rows = rows ?? [];
    this.draw();
  }

  sortBy(column) {
    this.down = column === this.column && !this.down;
    this.column = column;
    this.draw();
  }

  draw() {
    const sign = this.down ? -1 : 1, column = this.column;
    const found = this.rows.filter((row) => row[0].includes(this.word) || row[1].includes(this.word) || String(row[6]).includes(this.word));
    found.sort((a, b) => sign * (typeof a[column] === "string" ? a[column].localeCompare(b[column], "en", { numeric: true }) : (a[column] ?? -1) - (b[column] ?? -1)));
    this.heads.forEach((head, place) => { if (place === column) head.setAttribute("aria-sort", this.down ? "descending" : "ascending"); else head.removeAttribute("aria-sort"); });
    const states = {};
    for (const row of this.rows) states[row[1]] = (states[row[1]] ?? 0) + 1;
    const told = Object.entries(states).map(([state, count]) => `${count} ${state}`).join(", ");
    this.count.textContent = `${this.rows.length} connected${told ? `: ${told}` : ""}${found.length > ROWS_SHOWN ? `; the first ${ROWS_SHOWN} of ${found.length} are shown` : ""}`;
    this.body.replaceChildren(...found.slice(0, ROWS_SHOWN).map((row) => make("tr", {}, row.map((cell, place) => make(place ? "td" : "th",
      { scope: place ? null : "row", class: ACTOR_COLUMNS[place][1] ? "number" : null }, typeof cell === "number" || cell === null ? format.number(cell) : cell)))));
  }
}
