// Figures as files: SVG as drawn, and PNG at twice the size, on the page's ground.
"use strict";
const saving = (() => {
  const { all, svg } = dom;

  // A picture that stands alone: colours of the page's variables and the hatching written into it.
  function standalone(picture) {
    const copy = picture.cloneNode(true);
    const style = getComputedStyle(document.documentElement);
    const patterns = all("pattern").map((one) => one.cloneNode(true));
    copy.prepend(...patterns);
    copy.prepend(svg("rect", { width: "100%", height: "100%", fill: style.getPropertyValue("--ground").trim() }));
    copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
    copy.setAttribute("font-family", getComputedStyle(document.body).fontFamily);
    return new XMLSerializer().serializeToString(copy).replace(/var\((--[\w-]+)\)/g, (_, name) => style.getPropertyValue(name).trim());
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
    const drawn = all(".plot svg, .frontier svg", block);
    for (const [i, picture] of drawn.entries()) {
      const name = `${block.id}${drawn.length > 1 ? `-${i + 1}` : ""}.${kind}`;
      const text = standalone(picture);
      const size = [picture.width.baseVal.value, picture.height.baseVal.value];
      dom.download(name, kind === "svg" ? new Blob([text], { type: "image/svg+xml" }) : await png(text, ...size));
    }
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("button[data-figure-as]");
    if (button) save(button.closest(".figure-block"), button.dataset.figureAs);
  });
  return { standalone };
})();
