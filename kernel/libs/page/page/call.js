// The form that calls a function, and what came of it.
//
// A page may ask its own port alone, and functions let no other page ask them: so only the routes of the tenant whose
// port this is can be called from here.

// How much of an answer is read and shown.
const MOST_SHOWN = 65536;

// The address of a route at this port; null if a browser cannot ask for it, since it reads paths with dots by itself.
// The whole address is written out, since a path with two slashes first would be another host's.
function addressOf(route, query) {
  const path = route.split("/").map(encodeURIComponent).join("/");
  const address = new URL(location.origin + path + (query ? "?" + query.replaceAll("#", "%23") : ""));
  return address.origin === location.origin && address.pathname === path ? address.href : null;
}

let stop = null;

// Which routes can be called: those at this port. The others are named, with where they are.
function offerRoutes(routes) {
  const here = routes.filter((it) => it.is_here);
  const select = $("call-route");
  const chosen = select.value;
  select.replaceChildren(...here.map((it) => new Option(it.route, it.route)));
  if (here.some((it) => it.route === chosen)) select.value = chosen;
  $("call").hidden = here.length === 0;
  const elsewhere = new Map(routes.filter((it) => !it.is_here).map((it) => [it.port, it.tenant]));
  const ports = [...elsewhere].slice(0, 20).map(([port, tenant]) => `${port} (${tenant})`).join(", ");
  const what = here.length ? "Other tenants' functions answer" : "No function answers at this port: functions answer";
  say($("elsewhere"), `${what} at the machine's ports ${ports}. A page can ask its own port alone: call them from a terminal.`);
  $("elsewhere").hidden = elsewhere.size === 0;
}

async function callFunction(event) {
  event.preventDefault();
  stop?.abort();
  const mine = (stop = new AbortController());
  const method = $("call-method").value;
  const address = addressOf($("call-route").value, $("call-query").value.replace(/^\?/, ""));
  $("answer").hidden = false;
  showAnswer({ status: "waiting for the answer" });
  $("call-stop").disabled = false;
  const began = performance.now();
  const took = () => performance.now() - began;
  try {
    if (address === null) throw new Error("a browser cannot ask for this path");
    const body = method === "POST" || method === "PUT" ? $("call-body").value : undefined;
    const options = { method, body, signal: mine.signal, cache: "no-store", credentials: "omit", redirect: "manual" };
    const response = await fetch(address, options);
    const head = { response, status: `${response.status} ${response.statusText}`, took_ms: took() };
    showAnswer(head);
    const { text, note } = await readSome(response);
    showAnswer({ ...head, text, note, took_ms: took() });
  } catch (error) {
    const why = mine.signal.aborted ? "stopped" : "no answer: " + error.message;
    if (stop === mine) showAnswer({ status: why, took_ms: took() });
  } finally {
    if (stop === mine) {
      stop = null;
      $("call-stop").disabled = true;
    }
  }
}

// The beginning of an answer's body, as text. What is too much is not read: the function is then stopped.
async function readSome(response) {
  const reader = response.body?.getReader();
  const decoder = new TextDecoder();
  let [text, read] = ["", 0];
  while (reader) {
    const { done, value } = await reader.read();
    if (done) return { text: text + decoder.decode() };
    text += decoder.decode(value.subarray(0, MOST_SHOWN - read), { stream: true });
    read += value.length;
    if (read > MOST_SHOWN) {
      reader.cancel();
      return { text, note: "Only the first 64 KiB were read." };
    }
  }
  return { text, note: "" };
}

// The parts of Server-Timing, as pairs: queue;dur=0.012, run;dur=1.5
function timesOf(response) {
  const parts = (response?.headers.get("server-timing") ?? "").matchAll(/([a-z]+);dur=([0-9.]+)/g);
  return [...parts].map(([, name, ms]) => [name === "queue" ? "Waited" : name === "run" ? "Ran" : name, seconds(ms / 1e3)]);
}

function showPairs(list, pairs) {
  list.replaceChildren(...pairs.flatMap(([name, text]) => [make("dt", "", name), make("dd", "", text)]));
}

function showAnswer({ response, status, took_ms, text, note }) {
  say($("answer-status"), status, !response || response.ok ? "" : "bad");
  const outcome = response?.headers.get("luge-outcome");
  const streamed = response && outcome === null && response.ok ? "answered while it ran; how it ended is in the trailers, which browsers do not show" : "";
  say($("answer-outcome"), outcome ?? streamed);
  const times = timesOf(response);
  if (took_ms !== undefined) times.push(["In the browser", seconds(took_ms / 1e3)]);
  showPairs($("answer-times"), times);
  showPairs($("answer-headers"), [...(response?.headers ?? [])]);
  say($("answer-body"), text ?? "");
  say($("answer-note"), note ?? "");
  $("answer-note").hidden = !note;
}
