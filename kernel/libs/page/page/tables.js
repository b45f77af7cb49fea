// Tables of routes and sandboxes, and the reports of faults. Rows stay while what they tell of does.

// How many rows and reports are shown at most.
const MOST_ROWS = 200;

// Makes the rows of a table those of `items`, in their order. `key` names an item; `fill` gives for one the cells
// behind the first: [field, text, class]. What does not fit is counted.
function fillTable(table, items, key, head, fill) {
  const body = table.tBodies[0];
  const labels = [...table.tHead.rows[0].cells].map((cell) => cell.textContent);
  const before = new Map([...body.rows].map((row) => [row.dataset.key, row]));
  items.slice(0, MOST_ROWS).forEach((item, at) => {
    const name = key(item);
    const row = before.get(name) ?? newRow(name, head(item));
    before.delete(name);
    fill(item).forEach(([field, text, kind = ""], column) => {
      const cell = row.cells[column + 1] ?? newCell(row, field, labels[column + 1]);
      say(cell, text, kind);
    });
    if (body.rows[at] !== row) body.insertBefore(row, body.rows[at] ?? null);
  });
  before.forEach((row) => row.remove());
}

function newRow(key, head) {
  const row = make("tr");
  row.dataset.key = key;
  row.setAttribute("role", "row");
  newCell(row, "head", "").append(...head);
  return row;
}

function newCell(row, field, label) {
  const cell = row.insertCell();
  cell.dataset.field = field;
  cell.dataset.label = label;
  cell.setAttribute("role", "cell");
  return cell;
}

// `now` is the newest summary, `recent` that of ten seconds before, `minute` that of a minute before, if there are.
function showRoutes(now, recent, minute, terms) {
  const routes = [...now.routes.values()];
  const span = recent ? now.uptime - recent.uptime : 0;
  fillTable($("routes"), routes, (it) => keyOf(it.tenant, it.route), (it) => routeName(it.tenant, it.route), (it) => {
    const key = keyOf(it.tenant, it.route);
    const before = recent?.routes.get(key);
    const rate = (name) => (span > 0 ? (it[name] - (before?.[name] ?? 0)) / span : 0);
    const lately = bucketsSince(it.latency, minute?.routes.get(key)?.latency);
    const old = quantile(lately, 0.5) === null || !minute ? "old" : "";
    const deadline = terms.get(key)?.deadline_us;
    const missed = it.ended > 0 ? it.missed / it.ended : 0;
    return [
      ["rate", perSecond(rate("requests"))],
      ["p50", seconds(quantile(old ? it.latency : lately, 0.5)), old],
      ["p99", seconds(quantile(old ? it.latency : lately, 0.99)), old],
      ["deadline", deadline === undefined ? "–" : seconds(deadline / 1e6)],
      ["missed", percent(missed), missed > 0 ? "bad" : ""],
      ["requests", count(it.requests)],
      ["failed", count(it.failed), it.failed > 0 ? "bad" : ""],
      ["refused", count(it.refused), it.refused > 0 ? "busy" : ""],
      ["cpu", percent(rate("cpu"))],
    ];
  });
  const more = routes.length - MOST_ROWS;
  say($("routes-none"), more > 0 ? `${count(more)} more are in /metrics.` : "No functions.");
  $("routes-none").hidden = routes.length > 0 && more <= 0;
}

function showSandboxes(sandboxes) {
  fillTable($("sandboxes"), sandboxes, (it) => String(it.id), (it) => [...routeName(it.tenant, it.route), make("span", "tenant", "#" + it.id)], (it) => [
    ["state", String(it.state)],
    ["age", seconds(it.age_ns / 1e9)],
    ["charged", seconds(it.charged_ns / 1e9)],
    ["deadline", seconds(it.deadline_in_ns / 1e9), it.deadline_in_ns < 0 ? "bad" : ""],
    ["memory", bytes(it.memory_bytes)],
  ]);
  const more = sandboxes.length - MOST_ROWS;
  say($("sandboxes-count"), sandboxes.length ? count(sandboxes.length) : "");
  say($("sandboxes-none"), more > 0 ? `${count(more)} more are not shown.` : "None now.");
  $("sandboxes-none").hidden = sandboxes.length > 0 && more <= 0;
}

const hexadecimal = (n) => "0x" + n.toString(16);

// A place in a module, as /faults.json has it: a function's name or number, and how far into the module's file.
const place = (it) => [it.function ?? "?", it.offset == null ? "" : " at " + hexadecimal(it.offset)].join("");

const known = (value, write = String) => (value === null || value === undefined ? null : write(value));

// What is said of a fault, as pairs; what is not known is left out.
function reportOf(fault) {
  const stack = known(fault.stack_used_bytes, bytes);
  const pairs = [
    ["Function", known(fault.function, () => place(fault))],
    ["Exception", known(fault.exception)],
    ["RIP", known(fault.rip)], ["CR2", known(fault.cr2)], ["Error code", known(fault.error_code, hexadecimal)],
    ["Stack", stack && stack + " of " + bytes(fault.stack_bytes)],
    ["CPU time", known(fault.charged_ns, (ns) => seconds(ns / 1e9))],
    ["From its arrival", known(fault.total_ns, (ns) => seconds(ns / 1e9))],
  ].filter(([, text]) => text !== null);
  const report = make("dl", "report");
  for (const [name, text] of pairs) report.append(make("dt", "", name), make("dd", "", text));
  if (fault.backtrace?.length) {
    const frames = fault.backtrace.map((frame) => make("li", "", make("code", "", place(frame))));
    if (fault.backtrace_is_cut) frames.push(make("li", "", "and more"));
    report.append(make("dt", "", "Backtrace"), make("dd", "", make("ol", "", ...frames)));
  }
  return report;
}

// The reports, newest first; one that is open stays so. A sandbox faults once.
function showFaults(faults, uptime) {
  const list = $("faults");
  const before = new Map([...list.children].map((it) => [it.dataset.id, it]));
  faults.forEach((fault, at) => {
    const id = String(fault.id);
    const item = before.get(id) ?? newFault(fault, id);
    before.delete(id);
    say(item.querySelector(".ago"), duration(Math.max(0, uptime - fault.at_ns / 1e9)) + " ago");
    if (list.children[at] !== item) list.insertBefore(item, list.children[at] ?? null);
  });
  before.forEach((item) => item.remove());
  say($("faults-count"), faults.length ? count(faults.length) : "");
  $("faults-none").hidden = faults.length > 0;
}

function newFault(fault, id) {
  const outcome = make("span", "bad", String(fault.outcome));
  const summary = make("summary", "", ...routeName(fault.tenant, fault.route), outcome, make("span", "", "#" + id), make("span", "ago"));
  const item = make("details", "", summary, reportOf(fault));
  item.dataset.id = id;
  return item;
}
