// Follows the server: asks for a newer body every few seconds and puts it in place without moving the reader.
"use strict";
(() => {
  const PERIOD_MS = 2000;
  const PERIOD_HIDDEN_MS = 10000;
  const main = document.getElementById("main");
  const note = document.getElementById("live");
  const all = (selector) => [...main.querySelectorAll(selector)];
  let tag = document.body.dataset.tag;
  let said = "";

  function say(text) {
    if (text === said) return; // a screen reader speaks of changes only
    said = text;
    note.textContent = text;
  }

  // Frameworks are numbered by name, so a new one shifts the numbers: the name is the key.
  const keyOf = (box) => (box.name === "framework" ? `framework ${box.getAttribute("aria-label")}` : box.id);

  function remember() {
    const anchors = all("[id]").filter((one) => one.getBoundingClientRect().height > 0);
    const below = parseFloat(getComputedStyle(document.documentElement).scrollPaddingTop) || 16; // the navigation
    const anchor = anchors.filter((one) => one.getBoundingClientRect().top <= below + 4).pop();
    const inner = new Map(all(".scroll, details.data > div").map((one) => [one.getAttribute("aria-label"), one]));
    return {
      checked: new Map(all("input").map((box) => [keyOf(box), box.checked])),
      chosen: new Map(all("select").map((select) => [select.id, select.value])),
      open: new Map(all("details[id]").map((details) => [details.id, details.open])),
      scrolled: new Map([...inner].map(([label, one]) => [label, [one.scrollLeft, one.scrollTop]])),
      focused: main.contains(document.activeElement) ? keyOf(document.activeElement) : "",
      anchor: anchor ? { id: anchor.id, top: anchor.getBoundingClientRect().top } : null,
    };
  }

  function restore(kept) {
    for (const box of all("input")) box.checked = kept.checked.get(keyOf(box)) ?? box.checked;
    for (const select of all("select")) {
      const value = kept.chosen.get(select.id);
      if (value && [...select.options].some((option) => option.value === value)) select.value = value;
    }
    for (const details of all("details[id]")) details.open = kept.open.get(details.id) ?? details.open;
  }

  function returnTo(kept) {
    const focused = kept.focused && all("input, select, button").find((one) => keyOf(one) === kept.focused);
    if (focused) focused.focus({ preventScroll: true });
    for (const one of all(".scroll, details.data > div")) {
      const [left, top] = kept.scrolled.get(one.getAttribute("aria-label")) ?? [0, 0];
      one.scrollTo(left, top);
    }
    const anchor = kept.anchor && document.getElementById(kept.anchor.id);
    if (anchor) scrollBy({ top: anchor.getBoundingClientRect().top - kept.anchor.top, behavior: "instant" });
  }

  function replace(html) {
    const kept = remember();
    main.innerHTML = html; // scripts in it never run: the page's policy lets only its own
    restore(kept);
    inferometer.mount();
    returnTo(kept);
  }

  async function poll() {
    try {
      const answer = await fetch("body", { headers: { "If-None-Match": tag }, cache: "no-store" });
      if (answer.status === 200) {
        replace(await answer.text());
        tag = answer.headers.get("ETag");
        document.body.dataset.tag = tag;
        say(`Live · updated ${new Date().toLocaleTimeString()}`);
      } else if (answer.status === 304) {
        if (!said.startsWith("Live · updated")) say("Live · follows the runs in this folder");
      } else {
        say(`The server answered: ${(await answer.text()).trim()}`);
      }
    } catch {
      say("The server has stopped; trying again.");
    }
    setTimeout(poll, document.hidden ? PERIOD_HIDDEN_MS : PERIOD_MS);
  }

  say("Live · follows the runs in this folder");
  setTimeout(poll, PERIOD_MS);
})();
