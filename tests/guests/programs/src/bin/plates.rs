//! Finds what may be licence plates: the crate `imageproc`.
//!
//! | | |
//! |---|---|
//! | stdin | a picture: PNG, JPEG or PNM |
//! | stdout | a line for each plate: left, top, width and height in pixels |
//! | exit | 0, or 1 if the body is no picture |
//!
//! Edges by Canny's method, the outlines that they make, and of their bounding boxes those that are
//! bright and have a plate's shape.

use std::fmt::Write;
use std::process::ExitCode;

use image::GrayImage;
use imageproc::contours::{BorderType, Contour, find_contours};
use imageproc::edges::canny;

/// A plate's width by its height.
const SHAPES: std::ops::RangeInclusive<f64> = 2.5..=6.0;
/// The least width, in pixels.
const NARROWEST: u32 = 24;
/// The least mean brightness.
const DARKEST: u64 = 128;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Box {
    top: u32,
    left: u32,
    width: u32,
    height: u32,
}

fn main() -> ExitCode {
    programs::run(|request| {
        let picture = image::load_from_memory(&request.body)?.into_luma8();
        let outlines = find_contours::<u32>(&canny(&picture, 40.0, 90.0));
        let inner = outlines
            .iter()
            .filter(|outline| outline.border_type == BorderType::Hole);
        let mut plates: Vec<Box> = inner
            .filter_map(bounds)
            .filter(|it| is_plate(it, &picture))
            .collect();
        plates.sort();
        plates.dedup();
        let mut lines = String::new();
        for Box {
            left,
            top,
            width,
            height,
        } in plates
        {
            writeln!(lines, "{left} {top} {width} {height}")?;
        }
        Ok(lines.into_bytes())
    })
}

fn bounds(outline: &Contour<u32>) -> Option<Box> {
    let columns = outline.points.iter().map(|point| point.x);
    let rows = outline.points.iter().map(|point| point.y);
    let (left, right) = (columns.clone().min()?, columns.max()?);
    let (top, bottom) = (rows.clone().min()?, rows.max()?);
    let (width, height) = (right - left + 1, bottom - top + 1);
    Some(Box {
        top,
        left,
        width,
        height,
    })
}

fn is_plate(it: &Box, picture: &GrayImage) -> bool {
    if it.width < NARROWEST || !SHAPES.contains(&(f64::from(it.width) / f64::from(it.height))) {
        return false;
    }
    let rows = it.top..it.top + it.height;
    let pixels = rows.flat_map(|y| (it.left..it.left + it.width).map(move |x| (x, y)));
    let sum: u64 = pixels
        .map(|(x, y)| u64::from(picture.get_pixel(x, y)[0]))
        .sum();
    sum / (u64::from(it.width) * u64::from(it.height)) >= DARKEST
}
