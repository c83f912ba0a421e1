"use strict";
// What the page shows: data that came with it, or those of `data.json`, again and again.
const ASK_SECONDS = 3;  // where the server does not say when it will have something new

(function begin() {
  const root = document.getElementById("content"), told = document.getElementById("data").textContent;
  if (told) {
    const data = JSON.parse(told);
    if (data.kind === "run") new RunView(root).show(data.run);
    else new ComparisonView(root).show(data);
    return;
  }
  let view = null, silent = 0, wait = ASK_SECONDS;
  async function ask() {
    try {
      const answer = await fetch("data.json", { cache: "no-cache" });
      if (!answer.ok) throw new Error(`the server says ${answer.status}`);
      const data = await answer.json();
      silent = 0;
      wait = Number(answer.headers.get("Chorus-Ask-Again")) || ASK_SECONDS;
      view ??= new RunView(root);
      view.show(data.run);
    } catch (fault) {
      silent += 1;
      if (!view) root.replaceChildren(make("h1", {}, "Chorus"), make("p", {}, `No answer from the learner: ${fault.message}`));
      else if (silent === 3) view.show({ ...view.run, problem: "The learner does not answer any more: it has ended, or the way to it is cut. These are its last words." });
    }
    setTimeout(ask, 1000 * wait * Math.min(15, 1 + silent) * (document.hidden ? 5 : 1));
  }
  ask();
})();
