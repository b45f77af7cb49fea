// The text of /metrics: read, summed up by route, and asked for quantiles. Nothing here touches the page.

const LABEL = /([a-z_]+)="((?:[^"\\]|\\.)*)"(,|\})/y;

// The labels that stand from `at` on, as a Map, and where they end; null if they do not.
function readLabels(line, at) {
  const labels = new Map();
  LABEL.lastIndex = at;
  for (let found; (found = LABEL.exec(line)); ) {
    labels.set(found[1], found[2].replace(/\\(.)/g, (_, c) => (c === "n" ? "\n" : c)));
    if (found[3] === "}") return { labels, end: LABEL.lastIndex };
  }
  return null;
}

// All samples, by their names: Map of name to [{ labels, value }]. A line that is no sample is an error.
function readMetrics(text) {
  const samples = new Map();
  for (const line of text.split("\n")) {
    if (line === "" || line.startsWith("#")) continue;
    const name = /^[a-z_]+/.exec(line)?.[0];
    const at = name?.length;
    const read = line[at] === "{" ? readLabels(line, at + 1) : { labels: new Map(), end: at };
    const number = read && line[read.end] === " " ? line.slice(read.end + 1) : "";
    if (!name || !/^[-+0-9.eE]+$/.test(number)) throw new Error("no sample: " + line.slice(0, 80));
    if (!samples.has(name)) samples.set(name, []);
    samples.get(name).push({ labels: read.labels, value: Number(number) });
  }
  return samples;
}

// Names have no control characters, so no two routes have the same key.
const keyOf = (tenant, route) => tenant + "\n" + route;

// What the page shows of the samples. `routes` has an entry for each route, by keyOf.
function summarise(samples) {
  const of = (name) => samples.get(name) ?? [];
  const one = (name) => of(name)[0]?.value ?? 0;
  const byLabel = (name, label) => new Map(of(name).map((it) => [it.labels.get(label), it.value]));
  const routes = new Map();
  const each = (name, add) => {
    for (const { labels, value } of of(name)) {
      const key = keyOf(labels.get("tenant"), labels.get("route"));
      if (!routes.has(key)) routes.set(key, newRoute(labels));
      add(routes.get(key), value, labels);
    }
  };
  // This family has every route.
  each("luge_deadline_misses_total", (it, value) => (it.missed += value));
  each("luge_requests_total", (it, value, labels) => {
    it.requests += value;
    if (labels.get("status").startsWith("5")) it.failed += value;
  });
  each("luge_outcomes_total", (it, value, labels) => {
    it.ended += value;
    if (!labels.get("outcome").startsWith("exit-")) it.killed += value;
  });
  each("luge_refusals_total", (it, value) => (it.refused += value));
  each("luge_cpu_seconds_total", (it, value) => (it.cpu += value));
  each("luge_latency_seconds_bucket", (it, value, labels) => it.latency.set(labels.get("le"), value));
  const memory = byLabel("luge_memory_bytes", "state");
  const all = [...routes.values()];
  return {
    version: of("luge_build_info")[0]?.labels.get("version") ?? "",
    uptime: one("luge_uptime_seconds"),
    busy: one("luge_cpu_busy_seconds_total"),
    serving: one("luge_cpu_sandbox_seconds_total"),
    connections: one("luge_connections"),
    sandboxes: byLabel("luge_sandboxes", "state"),
    memoryUsed: memory.get("used") ?? 0,
    memoryTotal: (memory.get("used") ?? 0) + (memory.get("free") ?? 0),
    requests: all.reduce((sum, it) => sum + it.requests, 0),
    killed: all.reduce((sum, it) => sum + it.killed, 0),
    latency: all.map((it) => it.latency).reduce(addBuckets, new Map()),
    routes,
  };
}

const newRoute = (labels) => ({
  tenant: labels.get("tenant"), route: labels.get("route"),
  requests: 0, failed: 0, ended: 0, killed: 0, missed: 0, refused: 0, cpu: 0, latency: new Map(),
});

// The sum of two histograms, as new Map of bound to how many were at most that.
function addBuckets(one, other) {
  const sum = new Map(one);
  for (const [bound, count] of other) sum.set(bound, (sum.get(bound) ?? 0) + count);
  return sum;
}

// What was counted in a histogram since an earlier state of it.
function bucketsSince(now, before) {
  return new Map([...now].map(([bound, count]) => [bound, count - (before?.get(bound) ?? 0)]));
}

// The q-quantile in seconds, straight between the bounds of its bucket, as Prometheus' histogram_quantile has it;
// null if nothing was counted. Beyond the last bound it is that bound.
function quantile(buckets, q) {
  const sorted = [...buckets].map(([le, count]) => [le === "+Inf" ? Infinity : Number(le), count]);
  sorted.sort((a, b) => a[0] - b[0]);
  const rank = q * (sorted.at(-1)?.[1] ?? 0);
  if (!(rank > 0)) return null;
  let [bound, below] = [0, 0];
  for (const [next, count] of sorted) {
    if (count >= rank) return next === Infinity ? bound : bound + ((next - bound) * (rank - below)) / (count - below);
    [bound, below] = [next, count];
  }
  return bound;
}
