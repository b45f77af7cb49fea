//! An experiment as a picture: a panel for each way in which it was played.
//!
//! A panel has a column for each route. Above, on a logarithmic axis, the times from arrival to answer, with
//! the deadline as a dashed line; below, what part of the requests was done, missed, and refused, and how many
//! were done a second.

use std::ops::Range;

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::coord::combinators::LogCoord;
use plotters::coord::types::RangedCoordf64;
use plotters::element::{DashedPathElement, Drawable, PointCollection};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::plan::Plan;
use crate::scale::{decades, short, time};
use crate::summary::{Figures, Percentiles, Run, Way};

type Area<'s> = DrawingArea<SVGBackend<'s>, Shift>;
/// Across, the number of a route; up, a time in microseconds.
type Times<'s> = DrawingArea<SVGBackend<'s>, Cartesian2d<RangedCoordf64, LogCoord<f64>>>;

/// Sizes in pixels: a panel, and what stands around all of them.
const PANEL: (i32, i32) = (236, 356);
const LEFT: i32 = 64;
const TOP: i32 = 40;
const BELOW: i32 = 36;
/// A panel's parts, from its top down.
const HEADING: i32 = 22;
const TIMES: i32 = 220;
const GAP: i32 = 6;
const PARTS: i32 = 56;
/// From one line of text below them to the next.
const LINE: i32 = 14;
/// Between two panels.
const MARGIN: i32 = 10;

/// Colours that people tell apart however they see colours (Okabe and Ito).
const BLUE: RGBColor = RGBColor(0, 114, 178);
const ORANGE: RGBColor = RGBColor(230, 159, 0);
const GREEN: RGBColor = RGBColor(0, 158, 115);
const RED: RGBColor = RGBColor(213, 94, 0);
const GREY: RGBColor = RGBColor(150, 150, 150);
const INK: RGBColor = RGBColor(40, 40, 40);

/// The parts of all requests, in the order of [`Figures::percent`].
const PART_NAMES: [(&str, RGBColor); 3] = [
    ("done in time", GREEN),
    ("late or failed", RED),
    ("refused", GREY),
];

/// The picture, as SVG. Runs with preemption and without come by turns, and stand above each other.
///
/// # Errors
/// What the backend says.
pub fn draw(title: &str, plan: &Plan, runs: &[Run]) -> Result<String> {
    let columns = runs.len().div_ceil(2) as i32;
    // The title and the legend want some room too.
    let width = LEFT + columns.max(3) * PANEL.0;
    let height = TOP + 2 * PANEL.1 + BELOW;
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (width as u32, height as u32));
        let root = root.into_drawing_area();
        root.fill(&WHITE).map_err(broken)?;
        write(&root, title, (LEFT, 16), 17, HPos::Left)?;
        let span = span_us(plan, runs);
        for (number, run) in (0..).zip(runs) {
            let corner = (LEFT + number / 2 * PANEL.0, TOP + number % 2 * PANEL.1);
            panel(&root, corner, plan, run, &span)?;
            if number < 2 {
                axes(&root, corner.1, &span)?;
            }
        }
        legend(&root, height - BELOW / 2)?;
        root.present().map_err(broken)?;
    }
    Ok(svg)
}

/// From the shortest time to the longest, in whole decades of microseconds.
fn span_us(plan: &Plan, runs: &[Run]) -> Range<f64> {
    let figures = runs.iter().flat_map(|run| &run.figures);
    let times = figures.flat_map(|figures| [figures.took.p50, figures.took.max]);
    let deadlines = plan.routes.iter().map(|route| route.deadline_us);
    let all: Vec<_> = times.chain(deadlines).filter(|time| *time > 0).collect();
    let decade = |time: Option<&u64>| time.map_or(0, |time| time.ilog10()) as i32;
    10_f64.powi(decade(all.iter().min()))..10_f64.powi(decade(all.iter().max()) + 1)
}

/// A run, at `corner`.
fn panel(
    root: &Area,
    (left, top): (i32, i32),
    plan: &Plan,
    run: &Run,
    span: &Range<f64>,
) -> Result<()> {
    write(root, &heading(run.way), (left, top + 10), 12, HPos::Left)?;
    let width = PANEL.0 - MARGIN;
    let times = root.clone().shrink((left, top + HEADING), (width, TIMES));
    draw_times(&times, plan, run, span)?;
    let parts_top = top + HEADING + TIMES + GAP;
    let parts = root.clone().shrink((left, parts_top), (width, PARTS));
    draw_parts(&parts, run)?;
    let below = parts_top + PARTS + LINE - 4;
    for (number, (route, figures)) in (0..).zip(plan.routes.iter().zip(&run.figures)) {
        let middle = left + width * (2 * number + 1) / (2 * plan.routes.len() as i32);
        let done_per_s = short(figures.done_per_s);
        write(root, &done_per_s, (middle, below), 10, HPos::Center)?;
        write(root, &route.name, (middle, below + LINE), 11, HPos::Center)?;
    }
    let middle = left + width / 2;
    write(
        root,
        plan.axis,
        (middle, below + 2 * LINE),
        11,
        HPos::Center,
    )
}

/// What a panel is called.
fn heading(way: Way) -> String {
    let policy = match way.policy {
        "edf" => "EDF",
        "fifo" => "FIFO",
        "sjf" => "SJF",
        _ => "round robin",
    };
    let admission = match way.admission {
        "on" => " + admission",
        _ => "",
    };
    format!("{policy}{admission}, preemption {}", way.preempt)
}

/// The times of a run, with a line for each decade.
fn draw_times(area: &Area, plan: &Plan, run: &Run, span: &Range<f64>) -> Result<()> {
    let (across, down) = area.get_pixel_range();
    let routes = plan.routes.len() as f64;
    let up = down.end..down.start;
    let area: Times = area.apply_coord_spec(Cartesian2d::new(
        0.0..routes,
        span.clone().log_scale(),
        (across, up),
    ));
    for decade in decades(span) {
        let line = vec![(0.0, decade), (routes, decade)];
        put(&area, PathElement::new(line, GREY.mix(0.4)))?;
    }
    for (number, (route, figures)) in plan.routes.iter().zip(&run.figures).enumerate() {
        let (left, deadline) = (number as f64, route.deadline_us as f64);
        let line = vec![(left + 0.06, deadline), (left + 0.94, deadline)];
        put(
            &area,
            DashedPathElement::new(line, 5, 3, RED.stroke_width(2)),
        )?;
        if figures.took != Percentiles::default() {
            draw_marks(&area, left + 0.5, figures)?;
        }
    }
    Ok(())
}

/// A line from the median to the longest time, and a mark for each percentile.
fn draw_marks(area: &Times, middle: f64, figures: &Figures) -> Result<()> {
    let Percentiles { p50, p90, p99, max } = figures.took;
    let at = |time: u64| (middle, time.max(1) as f64);
    put(area, PathElement::new(vec![at(p50), at(max)], GREY))?;
    put(area, Cross::new(at(max), 4, INK.stroke_width(2)))?;
    put(area, TriangleMarker::new(at(p99), 5, ORANGE.filled()))?;
    put(area, Circle::new(at(p90), 4, BLUE.stroke_width(2)))?;
    put(area, Circle::new(at(p50), 4, BLUE.filled()))
}

/// What became of the requests, a bar for each route.
fn draw_parts(area: &Area, run: &Run) -> Result<()> {
    let (width, height) = area.dim_in_pixel();
    let column = f64::from(width) / run.figures.len() as f64;
    for (number, figures) in run.figures.iter().enumerate() {
        let left = column * number as f64;
        let (from, to) = ((left + column * 0.15) as i32, (left + column * 0.85) as i32);
        for ((_, colour), part) in PART_NAMES.iter().zip(stacked(figures.percent())) {
            let y = |percent: f64| ((100.0 - percent) / 100.0 * f64::from(height)) as i32;
            let bar = [(from, y(part.end)), (to, y(part.start))];
            put(area, Rectangle::new(bar, colour.filled()))?;
        }
        let middle = ((from + to) / 2, height as i32 - 10);
        let done = format!("{:.0}", figures.percent()[0].floor());
        let style = style(11, HPos::Center).color(&WHITE);
        put(area, Text::new(done, middle, style))?;
    }
    Ok(())
}

/// Parts of a whole, each from where the one before it ends.
fn stacked(parts: [f64; 3]) -> [Range<f64>; 3] {
    let mut end = 0.0;
    parts.map(|part| {
        let start = end;
        end += part;
        start..end
    })
}

/// What stands to the left of a row of panels whose top is at `top`.
fn axes(root: &Area, top: i32, span: &Range<f64>) -> Result<()> {
    let decades = decades(span);
    let steps = decades.len() as i32 - 1;
    for (number, decade) in (0..).zip(decades) {
        let y = top + HEADING + TIMES - TIMES * number / steps;
        write(root, &time(decade), (LEFT - 6, y), 11, HPos::Right)?;
    }
    let bottom = top + HEADING + TIMES + GAP;
    for (percent, y) in [("100 %", bottom + 5), ("0 %", bottom + PARTS - 5)] {
        write(root, percent, (LEFT - 6, y), 11, HPos::Right)?;
    }
    let below = (LEFT - 6, bottom + PARTS + LINE - 4);
    write(root, "done/s", below, 11, HPos::Right)
}

/// What the marks and colours mean, in a line with its middle at `y`.
fn legend(root: &Area, y: i32) -> Result<()> {
    put(root, Circle::new((LEFT + 6, y), 4, BLUE.filled()))?;
    put(root, Circle::new((LEFT + 56, y), 4, BLUE.stroke_width(2)))?;
    put(
        root,
        TriangleMarker::new((LEFT + 106, y), 5, ORANGE.filled()),
    )?;
    put(root, Cross::new((LEFT + 156, y), 4, INK.stroke_width(2)))?;
    let line = vec![(LEFT + 220, y), (LEFT + 244, y)];
    put(
        root,
        DashedPathElement::new(line, 5, 3, RED.stroke_width(2)),
    )?;
    let names = [
        (14, "p50"),
        (64, "p90"),
        (114, "p99"),
        (164, "longest"),
        (250, "deadline"),
    ];
    for (x, name) in names {
        write(root, name, (LEFT + x, y), 11, HPos::Left)?;
    }
    for (x, (name, colour)) in (340..).step_by(100).zip(PART_NAMES) {
        let corners = [(LEFT + x, y - 6), (LEFT + x + 12, y + 6)];
        put(root, Rectangle::new(corners, colour.filled()))?;
        write(root, name, (LEFT + x + 18, y), 11, HPos::Left)?;
    }
    Ok(())
}

/// A line of text whose middle is at the height of `place`.
fn write(root: &Area, text: &str, place: (i32, i32), size: i32, across: HPos) -> Result<()> {
    put(root, Text::new(text.to_owned(), place, style(size, across)))
}

fn style(size: i32, across: HPos) -> TextStyle<'static> {
    let style = TextStyle::from(("sans-serif", size)).color(&INK);
    style.pos(Pos::new(across, VPos::Center))
}

/// Draws an element.
fn put<'s, 'e, C, E>(area: &DrawingArea<SVGBackend<'s>, C>, element: E) -> Result<()>
where
    C: CoordTranslate,
    E: Drawable<SVGBackend<'s>> + 'e,
    for<'b> &'b E: PointCollection<'b, C::From>,
{
    area.draw(&element).map_err(broken)
}

/// Errors of the backend are not made to be passed on.
fn broken(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("drawing: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Route;
    use crate::programs::{EMPTY, SHORT, Shelf};

    fn plan() -> Plan {
        let shelf = Shelf::told(&[(&EMPTY, 4), (&SHORT, 10)]);
        let routes = [&EMPTY, &SHORT].map(|program| Route::new(&shelf, program, 20_000));
        Plan::new(&shelf, "program", routes.to_vec(), 1)
    }

    fn run(preempt: &'static str, took: Percentiles) -> Run {
        let way = Way {
            policy: "edf",
            admission: "on",
            preempt,
        };
        let figures = || Figures {
            done: 3,
            missed: 1,
            refused: 0,
            took,
            done_per_s: 1.0,
        };
        Run {
            way,
            figures: vec![figures(), figures()],
            load_percent: 50.0,
            tickets: 0,
        }
    }

    const TOOK: Percentiles = Percentiles {
        p50: 12,
        p90: 150,
        p99: 2_000,
        max: 33_000,
    };

    fn count(svg: &str, what: &str) -> usize {
        svg.matches(what).count()
    }

    #[test]
    fn a_picture_names_every_run_and_route_and_its_axes() {
        let runs = [run("on", TOOK), run("off", TOOK)];
        let svg = draw("what is <played>", &plan(), &runs).expect("a picture");
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
        let once = ["what is &lt;played&gt;", "preemption on", "preemption off"];
        for text in once {
            assert_eq!(count(&svg, text), 1, "{text}");
        }
        for text in ["fib(10)", "empty", "program", "10 µs", "100 ms", "100 %"] {
            assert_eq!(count(&svg, text), 2, "{text}");
        }
    }

    #[test]
    fn every_route_of_every_run_has_its_marks() {
        let circles = |took| {
            let runs = [run("on", took), run("off", took)];
            count(&draw("", &plan(), &runs).expect("a picture"), "<circle")
        };
        // Two for each of four, and two in the legend; only these where nothing was answered.
        assert_eq!(circles(TOOK), 10);
        assert_eq!(circles(Percentiles::default()), 2);
    }

    #[test]
    fn a_span_holds_all_times_and_deadlines_in_whole_decades() {
        let runs = [run("on", TOOK)];
        assert_eq!(span_us(&plan(), &runs), 10.0..100_000.0);
        let nothing = [run("on", Percentiles::default())];
        assert_eq!(span_us(&plan(), &nothing), 10_000.0..100_000.0);
    }

    #[test]
    fn parts_stand_on_each_other_and_fill_the_whole() {
        let parts = stacked([50.0, 30.0, 20.0]);
        assert_eq!(parts, [0.0..50.0, 50.0..80.0, 80.0..100.0]);
    }
}
