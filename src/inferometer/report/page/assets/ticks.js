// Round numbers along an axis: at least two within any range, and none over another.
"use strict";
const ticks = (() => {
  const CHARACTER_PX = 7.7, GAP_PX = 6, LINE_PX = 15; // of a label
  const DIGITS = [[1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9], [1, 2, 3, 5, 7], [1, 2, 5], [1, 3], [1]]; // of a power of ten, the most first
  const WIDE = 3; // a range of which DIGITS hold two at least

  // A tick is round already, and near ones differ in their last digit only.
  const label = (value) => value.toLocaleString("en", { maximumSignificantDigits: 12 });

  // About so many round numbers within a range.
  function linear(low, high, most) {
    const rough = (high - low) / most;
    const power = 10 ** Math.floor(Math.log10(rough));
    const unit = power * [1, 2, 5, 10].find((digit) => digit * power >= rough * 0.999);
    const first = Math.ceil(low / unit - 1e-9);
    return Array.from({ length: Math.floor(high / unit + 1e-9) - first + 1 }, (_, i) => Number(((first + i) * unit).toPrecision(12)));
  }

  // Fewer and fewer; then more than wished for, of which five steps hold two at least.
  function linears([low, high], most) {
    const fewer = Array.from({ length: most - 1 }, (_, i) => most - i);
    return [...fewer, 3, 4, 5].map((steps) => linear(low, high, steps));
  }

  function logs([low, high]) {
    const powers = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1) powers.push(power);
    return DIGITS.map((digits) =>
      powers.flatMap((p) => digits.map((d) => Number((d * 10 ** p).toPrecision(3)))).filter((v) => v >= low * 0.999 && v <= high * 1.001));
  }

  // Whether labels stand clear of each other.
  function clear(values, [low, high], { pixels, log, upward }) {
    const share = log ? (value) => Math.log(value / low) / Math.log(high / low) : (value) => (value - low) / (high - low);
    const half = (value) => (upward ? LINE_PX : CHARACTER_PX * label(value).length + GAP_PX) / 2;
    return values.every((value, i) => !i || pixels * (share(value) - share(values[i - 1])) >= half(value) + half(values[i - 1]));
  }

  // The ticks of a domain that is `pixels` long; where a logarithmic one is narrow, powers of ten would give none or one.
  function of(domain, axis) {
    const most = Math.max(2, Math.floor(axis.pixels / (axis.upward ? 36 : 48)));
    const wide = axis.log && domain[1] / domain[0] >= WIDE;
    const choices = [...(wide ? logs(domain) : []), ...linears(domain, most)].filter((values) => values.length > 1);
    const fitting = choices.find((values) => values.length <= most + (wide ? 0 : 1) && clear(values, domain, axis));
    return fitting ?? choices.toSorted((a, b) => a.length - b.length)[0];
  }

  return { label, linear, of };
})();
