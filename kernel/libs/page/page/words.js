// Numbers as people read them, and what puts text into the page. Text goes in as text, never as markup.

const $ = (id) => document.getElementById(id);

// An element with a class and with parts, which are elements or text.
function make(tag, kind, ...parts) {
  const element = document.createElement(tag);
  if (kind) element.className = kind;
  element.append(...parts);
  return element;
}

// Changes a text only if it is another: what is the same is neither drawn nor read out again.
function say(element, text, kind = element.className) {
  if (element.textContent !== text) element.textContent = text;
  if (element.className !== kind) element.className = kind;
}

const THIN = "\u202f";

// An integer, in groups of three.
const count = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, THIN);

// Three digits that mean something.
const short = (n) => (n >= 99.95 ? count(Math.round(n)) : n >= 9.995 ? n.toFixed(1) : n.toFixed(2));

function seconds(s) {
  if (s === null) return "–";
  if (s < 0) return "-" + seconds(-s);
  if (s < 0.0009995) return short(s * 1e6) + THIN + "µs";
  if (s < 0.9995) return short(s * 1e3) + THIN + "ms";
  return s < 120 ? short(s) + THIN + "s" : duration(s);
}

function duration(s) {
  const [d, h, m] = [Math.floor(s / 86400), Math.floor(s / 3600) % 24, Math.floor(s / 60) % 60];
  const parts = [[d, "d"], [h, "h"], [m, "min"], [Math.floor(s) % 60, "s"]];
  const from = Math.max(0, parts.findIndex(([n]) => n > 0));
  const shown = parts.slice(from, from + 2).filter(([n], at) => at === 0 || n > 0);
  return s < 60 ? Math.floor(s) + THIN + "s" : shown.map(([n, unit]) => n + THIN + unit).join(" ");
}

function bytes(n) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = n < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(n) / 10));
  return (power ? short(n / 1024 ** power) : String(n)) + THIN + units[power];
}

const perSecond = (n) => (n === 0 ? "0" : short(n)) + "/s";
const percent = (n) => (n === 0 ? "0" : short(100 * n)) + THIN + "%";

// A route with its tenant, as the beginning of a row.
const routeName = (tenant, route) => [make("span", "route", route ?? "–"), make("span", "tenant", tenant ?? "host")];
