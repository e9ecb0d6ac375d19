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
    if (printing) layout.width = paperWidth;
    Plotly.react(element, data, layout, config);
  };

  // A figure that is folded away has no width yet; it is drawn when it is unfolded.
  const isShown = (element) => element.closest("details:not([open])") === null;
  const drawAll = () => [...document.querySelectorAll(".plot")].filter(isShown).forEach(draw);

  document.addEventListener("toggle", drawAll, true);
  prefersDark.addEventListener("change", drawAll);
  addEventListener("beforeprint", () => { printing = true; drawAll(); });
  addEventListener("afterprint", () => { printing = false; drawAll(); });

  document.addEventListener("click", ({ target }) => {
    const id = target.dataset?.save;
    if (id) Plotly.downloadImage(id, { format: "svg", filename: id, width: 900, height: document.getElementById(id).offsetHeight });
  });
  document.getElementById("show-addresses").addEventListener("change", ({ target }) =>
    document.body.classList.toggle("addresses", target.checked));

  drawAll();
})();
