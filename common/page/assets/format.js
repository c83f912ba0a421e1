"use strict";
// Numbers and times as people read them.
const format = {
  number(value, digits = 4) {
    if (value === null || value === undefined || !Number.isFinite(value)) return "–";
    const size = Math.abs(value);
    if (size >= 1e15 || (size > 0 && size < 1e-3)) return value.toExponential(2);
    if (size >= 1000) return Math.round(value).toLocaleString("en-US");
    return String(Number(value.toPrecision(digits))).replace("-", "−");
  },
  large(value, digits = 4) {
    if (value === null || value === undefined || !Number.isFinite(value)) return "–";
    for (const [unit, name] of [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
      if (Math.abs(value) >= unit) return `${Number((value / unit).toPrecision(digits))} ${name}`;
    }
    return format.number(value, digits);
  },
  // The labels of an axis: as many digits as it takes to tell them apart.
  ticks(values) {
    const greatest = Math.max(...values.map(Math.abs)), step = Math.abs(values[1] - values[0]);
    const digits = step > 0 ? Math.min(10, Math.max(4, 1 + Math.ceil(Math.log10(greatest / step)))) : 4;
    return values.map((value) => format.large(value, digits));
  },
  duration(seconds) {
    if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "–";
    if (seconds < 60) return `${Number(seconds.toPrecision(3))} s`;
    const whole = Math.round(seconds), minutes = Math.floor(whole / 60) % 60, hours = Math.floor(whole / 3600);
    if (hours >= 48) return `${Math.floor(hours / 24)} d ${hours % 24} h`;
    return hours ? `${hours} h ${minutes} min` : `${minutes} min ${whole % 60} s`;
  },
  share(value) { return Number.isFinite(value) ? `${Math.round(100 * value)} %` : "–"; },
};
