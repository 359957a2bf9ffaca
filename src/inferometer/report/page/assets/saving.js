// Figures as files: SVG as drawn, and PNG at twice the size, on the page's ground.
"use strict";
const saving = (() => {
  const { all, svg } = dom;

  // The panels of a figure below one another as one picture that stands alone: colours of the page's variables and the hatching
  // written into it, the machines' names above theirs.
  function standalone(block) {
    const style = getComputedStyle(document.documentElement);
    const value = (name) => style.getPropertyValue(name).trim();
    const panels = all("figure", block).filter((figure) => figure.querySelector("svg"));
    const pictures = panels.map((figure) => all(".plot svg, .frontier svg", figure)[0]).filter(Boolean);
    const width = Math.max(...pictures.map((one) => one.width.baseVal.value));
    const whole = svg("svg", { xmlns: "http://www.w3.org/2000/svg", width, "font-family": getComputedStyle(document.body).fontFamily });
    whole.append(...all("pattern").map((one) => one.cloneNode(true)));
    const ground = svg("rect", { width: "100%", height: "100%", fill: value("--ground") }, whole);
    let y = 0;
    pictures.forEach((one, i) => {
      const title = panels[i].querySelector("h4")?.textContent;
      if (title) svg("text", { x: 4, y: y + 18, "font-weight": 600, "font-size": 14, fill: value("--ink") }, whole).textContent = title;
      const copy = one.cloneNode(true);
      copy.setAttribute("y", (y += title ? 26 : 0));
      whole.append(copy);
      y += one.height.baseVal.value + 12;
    });
    whole.setAttribute("height", y);
    whole.setAttribute("viewBox", `0 0 ${width} ${y}`);
    whole.insertBefore(ground, whole.firstChild);
    const text = new XMLSerializer().serializeToString(whole).replace(/var\((--[\w-]+)\)/g, (_, name) => value(name));
    return { text, width, height: y };
  }

  async function png(text, width, height) {
    const image = new Image();
    image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
    await image.decode();
    const canvas = document.createElement("canvas");
    Object.assign(canvas, { width: 2 * width, height: 2 * height });
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    return new Promise((done) => canvas.toBlob(done, "image/png"));
  }

  async function save(block, kind) {
    const { text, width, height } = standalone(block);
    dom.download(`${block.id}.${kind}`, kind === "svg" ? new Blob([text], { type: "image/svg+xml" }) : await png(text, width, height));
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("button[data-figure-as]");
    if (button) save(button.closest(".figure-block"), button.dataset.figureAs);
  });
  return { standalone };
})();
