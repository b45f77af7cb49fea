// Once a second, while somebody looks: asks the machine, keeps the last minutes, shows them.

const EVERY_MS = 1000;
const RECENT_S = 10;
const MINUTE_S = 60;
const LIMIT_MS = 10000;

const charts = [
  new Chart($("chart-rate"), "Requests", [["rate", "requests"]], perSecond, roundUp),
  new Chart($("chart-latency"), "Latency", [["p50", "p50"], ["p99", "p99"]], seconds, roundUp),
  new Chart($("chart-cpu"), "CPU", [["cpu", "busy"], ["serving", "for functions"]], percent, () => 1),
  new Chart($("chart-memory"), "Memory", [["memory", "in use"]], bytes, (_, last) => last?.memoryTotal || 1),
];

// Summaries of the last minute, oldest first, and points of the charts.
let summaries = [];
let points = [];
let terms = new Map();
let faults = [];
// What was known when routes and faults were last asked for: they are asked for again when it changes.
let routesAsked = "";
let killedAsked = -1;
let isPaused = false;
let round = 0;

async function ask(path) {
  const response = await fetch(path, { cache: "no-store", credentials: "omit", signal: AbortSignal.timeout(LIMIT_MS) });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${response.statusText}`);
  return response;
}

// A list that may not be there: a machine can be older than this page, or short of memory for it.
const askList = (path) => ask(path).then((response) => response.json()).catch(() => null);

function pointOf(now, before) {
  const span = now.uptime - before.uptime;
  const lately = bucketsSince(now.latency, before.latency);
  return {
    t: now.uptime,
    rate: (now.requests - before.requests) / span,
    p50: quantile(lately, 0.5), p99: quantile(lately, 0.99),
    cpu: (now.busy - before.busy) / span, serving: (now.serving - before.serving) / span,
    memory: now.memoryUsed, memoryTotal: now.memoryTotal,
  };
}

// The newest summary that is at least so old, or else the oldest that is not the newest.
function summaryBefore(now, age_s) {
  const older = summaries.filter((it) => it !== now && now.uptime - it.uptime >= age_s - 0.5);
  return older.at(-1) ?? summaries.find((it) => it !== now);
}

function keep(now) {
  const last = summaries.at(-1);
  // A machine that was started anew counts from zero.
  if (last && now.uptime <= last.uptime) [summaries, points, routesAsked, killedAsked] = [[], [], "", -1];
  else if (last) points.push(pointOf(now, last));
  summaries.push(now);
  summaries = summaries.filter((it) => now.uptime - it.uptime <= MINUTE_S + 5);
  points = points.filter((it) => now.uptime - it.t <= MOST_SPAN_S);
}

async function askForMore(now) {
  const names = [...now.routes.keys()].join("\n");
  if (names !== routesAsked) {
    const routes = await askList("/routes.json");
    if (routes) {
      terms = new Map(routes.map((it) => [keyOf(it.tenant, it.route), it]));
      routesAsked = names;
      offerRoutes(routes);
    }
  }
  if (now.killed !== killedAsked) {
    faults = (await askList("/faults.json")) ?? [];
    killedAsked = now.killed;
  }
}

function show(now) {
  say($("version"), now.version);
  say($("uptime"), duration(now.uptime));
  say($("requests"), count(now.requests));
  say($("living"), count([...now.sandboxes.values()].reduce((a, b) => a + b, 0)));
  say($("connections"), count(now.connections));
  showRoutes(now, summaryBefore(now, RECENT_S), summaryBefore(now, MINUTE_S), terms);
  if (points.length) charts.forEach((chart) => chart.draw(points));
  showFaults(faults, now.uptime);
}

function tell(state, words) {
  $("state").dataset.state = state;
  say($("state"), words);
}

async function look() {
  const [metrics, sandboxes] = await Promise.all([ask("/metrics"), askList("/sandboxes.json")]);
  const now = summarise(readMetrics(await metrics.text()));
  keep(now);
  await askForMore(now);
  show(now);
  showSandboxes(sandboxes ?? []);
  tell("live", "live");
  // For who waits until a number is newer than something.
  document.documentElement.dataset.round = ++round;
}

let timer = null;
let isLooking = false;

async function goOn() {
  timer = null;
  if (isLooking) return;
  if (isPaused || document.hidden) return tell("waiting", "paused");
  isLooking = true;
  const began = performance.now();
  let pause_ms = EVERY_MS;
  try {
    await look();
  } catch (error) {
    tell("lost", "no answer from the machine: " + error.message);
    pause_ms = 3 * EVERY_MS;
  }
  isLooking = false;
  timer = setTimeout(goOn, Math.max(100, pause_ms - (performance.now() - began)));
}

// Begins to look again, unless that is done already.
const wake = () => timer ?? goOn();

document.addEventListener("visibilitychange", wake);
$("pause").addEventListener("click", () => {
  isPaused = !isPaused;
  $("pause").setAttribute("aria-pressed", String(isPaused));
  say($("pause"), isPaused ? "Go on" : "Pause");
  if (isPaused) tell("waiting", "paused");
  wake();
});
$("call").addEventListener("submit", callFunction);
$("call-stop").addEventListener("click", () => stop?.abort());
wake();
