"use strict";
// Line charts by uPlot: read with the pointer or the arrow keys, zoomed by dragging, and told in words and as a table.
const AXES = {
  agent_steps: ["agent-steps", format.large], env_steps: ["environment steps", format.large],
  update: ["updates", format.number], seconds: ["wall-clock time", format.duration],
};

function colour(name) { return getComputedStyle(document.documentElement).getPropertyValue(name).trim(); }

function faint(name, share) {
  const value = parseInt(colour(name).slice(1), 16);
  return `rgba(${value >> 16}, ${(value >> 8) & 255}, ${value & 255}, ${share})`;
}

// Several curves with x of their own on the union of their x.
function joined(series) {
  const tables = series.map((one) => [one.x, one.y, ...(one.low ? [one.low, one.high] : [])]);
  const all = uPlot.join(tables, tables.map((one) => one.map(() => 2)));
  return { x: all[0], columns: all.slice(1) };
}

class Chart {
  // series: [{name, x, y, colour: "--c0", low, high, points, faint, dashes}]
  constructor(title, about = "") {
    this.title = title;
    this.place = make("div", { class: "chart" });
    this.legend = make("ul", { class: "legend" });
    this.reading = make("p", { class: "reading" }, "");
    this.figures = make("div");
    this.details = make("details", {}, make("summary", {}, make("span", { class: "hidden" }, `${title}: `), "figures as a table"), this.figures);
    this.details.addEventListener("toggle", () => this.tell());
    this.element = make("section", { class: "panel", "aria-label": title }, make("h3", {}, title), about ? make("p", { class: "quiet small" }, about) : null, this.legend, this.place, this.reading, this.details);
    this.index = null;
    new ResizeObserver(() => this.fit()).observe(this.place);
  }

  show(series, axis) {
    this.series = series.filter((one) => one.y.some((value) => value !== null));
    this.axis = axis;
    this.element.hidden = !this.series.length;
    if (!this.series.length) return;
    const { x, columns } = joined(this.series);
    const key = JSON.stringify([axis, this.series.map((one) => [one.name, one.colour, Boolean(one.low)])]);
    this.data = [x, ...columns];
    if (this.plot && key === this.key) this.plot.setData(this.data, !this.zoomed());
    else this.draw();
    this.key = key;
    this.legend.replaceChildren(...(this.series.length > 1 ? this.series.map((one) => this.entry(one)) : []));
    this.tell();
  }

  zoomed() { return this.plot && this.plot.scales.x.min !== undefined && this.plot.data[0].length > 1
    && (this.plot.scales.x.min > this.plot.data[0][0] || this.plot.scales.x.max < this.plot.data[0].at(-1)); }

  entry(one) {
    const line = make("span", { class: one.points ? "dots" : one.dashes ? "dashes" : null, "aria-hidden": "true" });
    line.style.borderTopColor = one.faint ? faint(one.colour, 0.45) : colour(one.colour);
    return make("li", {}, line, one.name, one.low ? " (band: 95 %)" : "");
  }

  draw() {
    this.plot?.destroy();
    const [label, show] = AXES[this.axis];
    const series = [{}], bands = [];
    for (const one of this.series) {
      const stroke = one.faint ? faint(one.colour, 0.45) : colour(one.colour);
      series.push({
        label: one.name, stroke, width: one.points ? 0 : one.faint ? 1 : 2, spanGaps: true, dash: one.dashes ? [8, 5] : undefined,
        points: one.points ? { show: true, size: 7, fill: stroke, stroke } : { show: false },
        ...(one.points ? { paths: () => null } : {}),
      });
      if (one.low) {
        const edge = { stroke: "transparent", width: 0, spanGaps: true, points: { show: false } };
        series.push({ ...edge, label: `${one.name}: low` }, { ...edge, label: `${one.name}: high` });
        bands.push({ series: [series.length - 1, series.length - 2], fill: faint(one.colour, 0.18) });
      }
    }
    const font = "12px system-ui, sans-serif";
    const axis = { stroke: colour("--quiet"), font, labelFont: font, grid: { stroke: colour("--grid"), width: 1 }, ticks: { stroke: colour("--grid"), width: 1 } };
    this.plot = new uPlot({
      ...this.size(), scales: { x: { time: false } }, series, bands, legend: { show: false },
      axes: [{ ...axis, label, labelSize: 22, values: (_, ticks) => ticks.map((one) => show(one)), space: 55 },
        { ...axis, size: (_, labels) => 24 + 7 * Math.max(5, ...(labels ?? []).map((one) => one.length)), values: (_, ticks) => format.ticks(ticks) }],
      cursor: { points: { size: 8 }, y: false }, hooks: { setCursor: [(plot) => this.read(plot.cursor.idx)] },
    }, this.data, this.place);
    const over = this.plot.over;
    over.tabIndex = 0;
    over.setAttribute("role", "img");
    over.addEventListener("keydown", (event) => this.key_pressed(event));
    this.describe();
  }

  size() { return { width: Math.max(200, this.place.clientWidth || 600), height: this.element.classList.contains("wide") ? 340 : 220 }; }

  fit() { if (this.plot && this.place.clientWidth && this.place.clientWidth !== this.plot.width) this.plot.setSize(this.size()); }

  restyle() { if (this.plot && this.series.length) { this.draw(); this.legend.replaceChildren(...(this.series.length > 1 ? this.series.map((one) => this.entry(one)) : [])); } }

  describe() {
    const parts = this.series.map((one) => {
      const known = one.y.filter((value) => value !== null);
      return `${one.name} from ${format.number(known[0])} to ${format.number(known.at(-1))}, lowest ${format.number(Math.min(...known))}, highest ${format.number(Math.max(...known))}`;
    });
    this.plot.over.setAttribute("aria-label", `${this.title} by ${AXES[this.axis][0]}: ${parts.join("; ")}. Arrow keys read the values.`);
  }

  read(index) {
    this.index = index;
    this.reading.textContent = index === null || index === undefined ? "" : this.words(index);
  }

  words(index) {
    const [label, show] = AXES[this.axis];
    const values = [];
    let column = 1;
    for (const one of this.series) {
      const value = this.data[column][index];
      if (value !== null && value !== undefined) values.push(`${one.name} ${format.number(value)}`);
      column += one.low ? 3 : 1;
    }
    return `${label} ${show(this.data[0][index])}: ${values.join(" · ")}`;
  }

  key_pressed(event) {
    const last = this.data[0].length - 1, stride = Math.max(1, Math.round(last / 40));
    const from = this.index ?? last;
    const to = { ArrowLeft: from - stride, ArrowRight: from + stride, Home: 0, End: last }[event.key];
    if (event.key === "Escape") { this.plot.setScale("x", { min: this.data[0][0], max: this.data[0][last] }); return; }
    if (to === undefined) return;
    event.preventDefault();
    const index = Math.min(last, Math.max(0, to));
    this.plot.setCursor({ left: this.plot.valToPos(this.data[0][index], "x"), top: 10 });
    this.read(index);
    announce(this.words(index));
  }

  tell() {
    if (this.plot) this.describe();
    if (!this.details.open) return;
    const rows = [], count = this.data[0].length, stride = Math.max(1, Math.ceil(count / 40));
    for (let index = count - 1; index >= 0; index -= stride) {
      let column = 1;
      const cells = [AXES[this.axis][1](this.data[0][index])];
      for (const one of this.series) { cells.push(format.number(this.data[column][index])); column += one.low ? 3 : 1; }
      rows.unshift(cells);
    }
    this.figures.replaceChildren(table(`${this.title}, every ${stride}th point`, [[AXES[this.axis][0], true], ...this.series.map((one) => [one.name, true])], rows));
  }
}

// Which x the charts have; one choice for all of them, kept while the page is open.
class AxisChoice {
  constructor(choices, onChange) {
    this.chosen = choices[0];
    this.element = make("fieldset", {}, make("legend", {}, "Charts by"), choices.map((name) => make("label", {}, make("input", {
      type: "radio", name: "axis", value: name, checked: name === this.chosen, onchange: () => { this.chosen = name; onChange(); },
    }), AXES[name][0])));
  }
}
