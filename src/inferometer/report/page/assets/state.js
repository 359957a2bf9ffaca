// What the reader chose, in the page's address, so that a link or a reload brings it back: limits by the names of
// `inferometer recommend`, hidden frameworks, the frontier's axis. An address without "=" is a place in the page.
"use strict";
const state = (() => {
  let chosen = new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");
  const listeners = new Set();

  const get = (name) => chosen.get(name);

  function write() {
    const text = chosen.toString().replaceAll("%2C", ",").replaceAll("%2F", "/").replaceAll("%3A", ":");
    history.replaceState(null, "", text ? `#${text}` : location.pathname + location.search);
  }

  // Takes {name: value}; null or "" removes a name.
  function set(changes) {
    for (const [name, value] of Object.entries(changes)) {
      if (value === null || value === "") chosen.delete(name);
      else chosen.set(name, value);
    }
    write();
    for (const listener of listeners) listener(Object.keys(changes));
  }

  function followed() {
    if (!location.hash.includes("=")) {
      if (chosen.size && location.hash) setTimeout(write); // the jump is done: what was chosen stands in the address again
      return;
    }
    const before = chosen;
    chosen = new URLSearchParams(location.hash.slice(1));
    const names = new Set([...before.keys(), ...chosen.keys()]);
    for (const listener of listeners) listener([...names]);
  }

  addEventListener("hashchange", followed);
  return { get, set, listen: (listener) => listeners.add(listener) };
})();
