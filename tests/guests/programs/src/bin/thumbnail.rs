//! Makes pictures smaller, or larger: the crates `image` and `fast_image_resize`.
//!
//! | | |
//! |---|---|
//! | argument 1 | the width, else 128 |
//! | argument 2 | the height, else that at which the shape stays |
//! | argument 3 | `box`, `bilinear` or `lanczos`: how pixels become others; else the last |
//! | argument 4 | `png` or `pam`: what the answer is, else the first |
//! | stdin | a picture: PNG, JPEG or PNM |
//! | stdout | the picture in this size |
//! | exit | 0, or 1 if the body is no picture, or too large a one |

use std::io::Cursor;
use std::process::ExitCode;

use fast_image_resize::images::Image;
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::{ImageFormat, RgbaImage};
use programs::{Failure, Request};

/// The longest side of an answer.
const LARGEST: u32 = 4096;

fn main() -> ExitCode {
    programs::run(|request| {
        let picture = image::load_from_memory(&request.body)?.into_rgba8();
        let (width, height) = size(request, &picture)?;
        let filter = match request.argument(2) {
            None | Some("lanczos") => FilterType::Lanczos3,
            Some("bilinear") => FilterType::Bilinear,
            Some("box") => FilterType::Box,
            Some(other) => return Err(format!("there is no way to resize called {other:?}").into()),
        };
        let format = match request.argument(3) {
            None | Some("png") => ImageFormat::Png,
            Some("pam") => ImageFormat::Pnm,
            Some(other) => {
                return Err(format!("the answer is `png` or `pam`, not {other:?}").into());
            }
        };
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter));
        let from = Image::from_vec_u8(
            picture.width(),
            picture.height(),
            picture.into_raw(),
            PixelType::U8x4,
        )?;
        let mut to = Image::new(width, height, PixelType::U8x4);
        Resizer::new().resize(&from, &mut to, &options)?;
        let resized =
            RgbaImage::from_raw(width, height, to.into_vec()).ok_or("pixels are missing")?;
        let mut answer = Cursor::new(Vec::new());
        resized.write_to(&mut answer, format)?;
        Ok(answer.into_inner())
    })
}

fn size(request: &Request, picture: &RgbaImage) -> Result<(u32, u32), Failure> {
    let width = request.parsed(0, 128)?;
    let (from_width, from_height) = (u64::from(picture.width()), u64::from(picture.height()));
    let same_shape = (u64::from(width) * from_height).div_ceil(from_width.max(1));
    let height = request.parsed(1, u32::try_from(same_shape)?)?;
    if [width, height]
        .iter()
        .any(|side| !(1..=LARGEST).contains(side))
    {
        return Err(format!("{width} x {height} pixels are not between 1 and {LARGEST}").into());
    }
    Ok((width, height))
}
