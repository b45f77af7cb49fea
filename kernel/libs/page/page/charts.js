// Charts of the last minutes: lines in SVG, with the number of now, or of where the pointer is.

// How far back a chart goes: the first of these that holds all that is known.
const SPANS_S = [60, 120, 300];
const MOST_SPAN_S = SPANS_S.at(-1);
const [WIDTH, HEIGHT] = [300, 88];

function svg(tag, kind, parent) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  if (kind) element.setAttribute("class", kind);
  parent?.append(element);
  return element;
}

// A scale that ends at 1, 2 or 5 times a power of ten, so that it does not change with every sample.
function roundUp(most) {
  if (!(most > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(most));
  return power * [1, 2, 5, 10].find((step) => most <= step * power * 1.0000001);
}

// A chart in a figure. `lines` are one or two names of values of a point, with the words for them; `show` writes a
// value; `top` says where the scale ends, of all points.
class Chart {
  constructor(figure, title, lines, show, top) {
    Object.assign(this, { title, lines, show, top, points: [], span: SPANS_S[0] });
    this.value = make("span", "now", "–");
    figure.append(make("figcaption", "", make("span", "name", title), this.value));
    this.scale = make("span", "", "");
    figure.append(make("div", "axis", this.scale));
    this.drawing = svg("svg", "", figure);
    this.drawing.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    this.drawing.setAttribute("preserveAspectRatio", "none");
    this.drawing.setAttribute("role", "img");
    svg("path", "grid", this.drawing).setAttribute("d", `M0 ${HEIGHT}H${WIDTH}M0 ${HEIGHT / 2}H${WIDTH}M0 0H${WIDTH}`);
    this.fill = svg("path", "fill", this.drawing);
    this.paths = lines.map((_, at) => svg("path", at ? "second" : "first", this.drawing));
    this.cursor = svg("path", "cursor", this.drawing);
    const key = make("span", "key", ...(lines.length > 1 ? lines.map(([, word], at) => make("span", at ? "second" : "", word)) : []));
    this.ago = make("span", "", "");
    figure.append(make("div", "axis", this.ago, key, make("span", "", "now")));
    this.drawing.addEventListener("pointermove", (event) => this.pointAt(event));
    this.drawing.addEventListener("pointerleave", () => { this.pointed = null; this.write(); });
  }

  // Draws points, oldest first, each with `t` in seconds.
  draw(points) {
    this.points = points;
    this.span = SPANS_S.find((span) => points.at(-1).t - points[0].t <= span) ?? MOST_SPAN_S;
    const all = points.flatMap((point) => this.lines.map(([name]) => point[name] ?? 0));
    const top = this.top(Math.max(0, ...all), points.at(-1));
    this.paths.forEach((path, at) => path.setAttribute("d", this.trace(this.lines[at][0], top)));
    this.fill.setAttribute("d", this.lines.length > 1 ? "" : this.area(this.lines[0][0], top));
    say(this.scale, this.show(top));
    say(this.ago, duration(this.span) + " ago");
    this.write();
  }

  at(point, name, top) {
    const x = WIDTH - ((this.points.at(-1).t - point.t) / this.span) * WIDTH;
    return x.toFixed(1) + " " + (HEIGHT - (Math.min(point[name], top) / top) * HEIGHT).toFixed(1);
  }

  // Where there is no value, the line is broken off.
  trace(name, top) {
    let [path, drawing] = ["", false];
    for (const point of this.points) {
      const there = point[name] !== null && point[name] !== undefined;
      if (there) path += (drawing ? "L" : "M") + this.at(point, name, top) + (drawing ? "" : "h0");
      drawing = there;
    }
    return path;
  }

  area(name, top) {
    if (this.points.length < 2) return "";
    const line = this.points.map((point) => this.at(point, name, top)).join("L");
    const from = this.at(this.points[0], name, top).split(" ")[0];
    return `M${line}L${WIDTH} ${HEIGHT}L${from} ${HEIGHT}Z`;
  }

  pointAt(event) {
    const box = this.drawing.getBoundingClientRect();
    const last = this.points.at(-1);
    if (!last || box.width === 0) return;
    this.pointed = last.t - (1 - (event.clientX - box.left) / box.width) * this.span;
    this.write();
  }

  // The numbers of now, or of the moment that is pointed at.
  write() {
    const last = this.points.at(-1);
    if (!last) return;
    const off = (point) => Math.abs(point.t - this.pointed);
    const point = this.pointed == null ? last : this.points.reduce((a, b) => (off(b) < off(a) ? b : a));
    const values = this.lines.map(([name]) => (point[name] == null ? "–" : this.show(point[name])));
    const ago = point === last ? "" : ` (${duration(last.t - point.t)} ago)`;
    say(this.value, values.join(" · ") + ago);
    const x = (WIDTH - ((last.t - point.t) / this.span) * WIDTH).toFixed(1);
    this.cursor.setAttribute("d", point === last ? "" : `M${x} 0V${HEIGHT}`);
    this.drawing.setAttribute("aria-label", `${this.title}: ${this.lines.map(([, word], at) => `${word} ${values[at]}`).join(", ")}${ago}`);
  }
}
