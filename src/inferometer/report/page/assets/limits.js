// The sliders: a place on the way from the smallest to the largest figure of any cell; at the end there is no limit.
"use strict";
const limits = (() => {
  const STEPS = 200;
  const sliders = () => [...document.querySelectorAll("input[data-limit]")];
  const numbers = ({ dataset }) => [Number(dataset.low), Number(dataset.high)];

  // Three digits, rounded up, so that the cell whose figure it is keeps the limit.
  function rounded(value) {
    if (!value) return 0;
    const unit = 10 ** (Math.floor(Math.log10(Math.abs(value))) - 2);
    return Number((Math.ceil(value / unit - 1e-9) * unit).toPrecision(3));
  }

  function valueAt(slider) {
    const [low, high] = numbers(slider);
    const share = Number(slider.value) / STEPS;
    return rounded(low > 0 ? low * (high / low) ** share : low + (high - low) * share);
  }

  function placeOf(slider, value) {
    const [low, high] = numbers(slider);
    const share = low > 0 ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
    return Math.max(0, Math.min(STEPS, Math.round(STEPS * share)));
  }

  // The limits that are set, in the rule's own units.
  function given() {
    const found = {};
    for (const slider of sliders()) {
      const text = state.get(slider.dataset.option);
      const value = text === null ? NaN : Number(text);
      if (Number.isFinite(value)) found[slider.dataset.limit] = value / Number(slider.dataset.scale);
    }
    return found;
  }

  function show() {
    for (const slider of sliders()) {
      const text = state.get(slider.dataset.option);
      const value = text === null ? NaN : Number(text);
      const set = Number.isFinite(value);
      if (!set) slider.value = STEPS;
      else if (document.activeElement !== slider) slider.value = placeOf(slider, value);
      const words = set ? `at most ${value.toLocaleString("en")} ${slider.dataset.unit}`.trim() : "any";
      slider.setAttribute("aria-valuetext", words);
      document.querySelector(`output[for=${slider.id}]`).textContent = words.replace("at most", "≤");
    }
    const reset = document.querySelector("button[data-reset]");
    if (reset) reset.disabled = !Object.keys(given()).length;
  }

  function moved(event) {
    const slider = event.target;
    if (!slider.matches?.("input[data-limit]")) return;
    const none = Number(slider.value) === STEPS;
    state.set({ [slider.dataset.option]: none ? null : String(valueAt(slider)) });
  }

  function reset(event) {
    if (!event.target.closest?.("button[data-reset]")) return;
    state.set(Object.fromEntries(sliders().map((slider) => [slider.dataset.option, null])));
  }

  document.addEventListener("input", moved);
  document.addEventListener("click", reset);
  // Whether a name of the address changes what the first screen shows.
  const decides = (name) => name === "y" || sliders().some((slider) => slider.dataset.option === name);

  return { given, show, decides };
})();
