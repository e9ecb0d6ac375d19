"use strict";
// Draws the figures, in the colours of the page: again when these change, and for paper.
(() => {
  const dark = JSON.parse(document.getElementById("dark-colours").textContent);
  const prefersDark = matchMedia("(prefers-color-scheme: dark)");
  const config = { displayModeBar: false, responsive: true };
  const paperWidth = 660;
  let printing = false;

  const darkened = (json) =>
    json
      .replace(/#[0-9a-f]{6}/g, (colour) => dark[colour] ?? colour)
      .replace(/rgba\((\d+,\d+,\d+,)/g, (whole, parts) => `rgba(${dark[parts] ?? parts}`);

  const specification = (element) => {
    const json = document.querySelector(`script[data-for="${element.id}"]`).textContent;
    return JSON.parse(prefersDark.matches && !printing ? darkened(json) : json);
  };

  const draw = (element) => {
    const { data, layout } = specification(element);
    if (printing) layout.width = paperWidth / (element.closest(".panels") ? 2.1 : 1);
    const isNew = !element.classList.contains("js-plotly-plot");
    Plotly.react(element, data, layout, config);
    if (isNew)
      element.on("plotly_click", ({ points: [{ customdata }] }) => {
        if (typeof customdata === "string") copyTrace(customdata);
      });
  };

  // A figure that is folded away has no width yet; it is drawn when it is unfolded.
  const isShown = (element) => element.closest("details:not([open])") === null;
  const drawAll = () => [...document.querySelectorAll(".plot")].filter(isShown).forEach(draw);

  document.addEventListener("toggle", drawAll, true);
  prefersDark.addEventListener("change", drawAll);

  // On paper nothing can be unfolded: the evidence is, and folded again afterwards.
  let folded = [];
  addEventListener("beforeprint", () => {
    printing = true;
    folded = [...document.querySelectorAll(".hearing details:not([open])")];
    folded.forEach((details) => { details.open = true; });
    drawAll();
  });
  addEventListener("afterprint", () => {
    printing = false;
    folded.forEach((details) => { details.open = false; });
    drawAll();
  });

  document.addEventListener("click", ({ target }) => {
    const id = target.dataset?.save;
    if (id) Plotly.downloadImage(id, { format: "svg", filename: id, width: 900, height: document.getElementById(id).offsetHeight });
  });
  document.getElementById("show-addresses").addEventListener("change", ({ target }) =>
    document.body.classList.toggle("addresses", target.checked));

  // A number leads to its files: hover shows its address, a click copies the command.
  const quoted = (text) => (/^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
  const runFolder = () => {
    if (location.protocol !== "file:") return document.body.dataset.run;
    const folder = decodeURIComponent(location.pathname).replace(/\/[^/]*$/, "");
    return folder.replace(/^\/(?=[A-Za-z]:)/, "");
  };

  const said = document.getElementById("traced");
  let fading;
  const say = (text) => {
    clearTimeout(fading);
    said.textContent = text;
    said.hidden = !text;
    fading = setTimeout(() => { said.hidden = true; }, 4000);
  };

  const copyTrace = async (address) => {
    const command = `cortiscope trace ${quoted(runFolder())} ${quoted(address)}`;
    try {
      await navigator.clipboard.writeText(command);
      say(`Copied: ${command}`);
    } catch {
      say(copyBySelection(command) ? `Copied: ${command}` : command);
    }
  };

  // Where a page may not write to the clipboard, what is selected can still be copied.
  const copyBySelection = (text) => {
    const field = Object.assign(document.createElement("textarea"), { value: text, readOnly: true });
    const focused = document.activeElement;
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    focused?.focus({ preventScroll: true });
    return done;
  };

  // One stop of the tab key for each table or text; arrows go on among its numbers.
  const groups = new Map();
  for (const number of document.querySelectorAll("data[data-address]")) {
    const group = number.closest("table, article, li, dl, p") ?? document.body;
    if (!groups.has(group)) groups.set(group, []);
    number.classList.add("traceable");
    number.setAttribute("role", "button");
    number.tabIndex = groups.get(group).length ? -1 : 0;
    groups.get(group).push(number);
  }
  const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
  document.addEventListener("keydown", (event) => {
    const number = event.target.closest?.(".traceable");
    if (!number) return;
    if (event.key === "Enter" || event.key === " ") copyTrace(number.dataset.address);
    else if (event.key in steps) {
      const group = [...groups.values()].find((members) => members.includes(number));
      const next = group[group.indexOf(number) + steps[event.key]] ?? number;
      number.tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
    } else return;
    event.preventDefault();
  });
  document.addEventListener("click", ({ target }) => {
    const number = target.closest?.(".traceable");
    if (number) copyTrace(number.dataset.address);
  });
  document.addEventListener("focusin", ({ target }) => {
    if (target.matches?.(".traceable:focus-visible")) say(target.dataset.address);
  });

  drawAll();
})();
