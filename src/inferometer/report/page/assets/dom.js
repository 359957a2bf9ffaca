// Short ways to the page's elements.
"use strict";
const dom = (() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  function made(element, attributes, parent) {
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    parent?.append(element);
    return element;
  }

  function element(name, text, parent, attributes = {}) {
    const one = document.createElement(name);
    if (text !== undefined) one.textContent = text;
    return made(one, attributes, parent);
  }

  const svg = (name, attributes, parent) => made(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, parent);

  function download(name, blob) {
    const link = element("a", undefined, document.body, { download: name, href: URL.createObjectURL(blob) });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    link.remove();
  }

  return { all, element, svg, download };
})();
