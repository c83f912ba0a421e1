"use strict";
// Elements of the page. Whatever comes from a run is a text node, never markup.
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat()) {
    if (child === null || child === undefined) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return element;
}

function panel(title, ...children) {
  return make("section", { class: "panel", "aria-label": title }, make("h2", {}, title), ...children);
}

// A full name such as `optimiser.learning_rate`, which a narrow column may break after a dot or an underscore.
function breakable(name) {
  return name.split(/(?<=[._])/).flatMap((part, place) => place ? [make("wbr"), part] : [part]);
}

// A table: columns are [name, isNumber], rows lists of cells; the first cell of a row names it.
function table(caption, columns, rows, best = -1) {
  const head = columns.map(([name, number]) => make("th", { scope: "col", class: number ? "number" : null }, name));
  const body = rows.map((row, place) => make("tr", { class: place === best ? "best" : null }, row.map((cell, column) => make(
    column ? "td" : "th", { scope: column ? null : "row", class: columns[column][1] ? "number" : null }, cell))));
  return make("div", {}, make("p", { class: "quiet", "aria-hidden": "true" }, caption),  // seen whole; what scrolls is named by it
    make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
      make("table", { "aria-label": caption }, make("thead", {}, make("tr", {}, head)), make("tbody", {}, body))));
}

// A film that anybody can stop: what moves for long must be stoppable, and stands still for those who asked for that.
function film(source, name) {
  const picture = make("img", { src: source, alt: `Film of an episode: ${name}`, width: "320" });
  const still = make("canvas", { role: "img", "aria-label": `Still of an episode: ${name}` });
  still.hidden = true;
  const button = make("button", { type: "button" }, "Stop the film");
  function show(moving) {
    if (!moving && picture.naturalWidth) {
      [still.width, still.height] = [picture.naturalWidth, picture.naturalHeight];
      still.getContext("2d").drawImage(picture, 0, 0);
    }
    picture.hidden = !moving;
    still.hidden = moving;
    button.textContent = moving ? "Stop the film" : "Play the film";
  }
  button.addEventListener("click", () => show(picture.hidden));
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) picture.addEventListener("load", () => show(false), { once: true });
  return make("figure", {}, picture, still, make("figcaption", {}, name, " ", button));
}

function announce(text) { document.getElementById("announcements").textContent = text; }
