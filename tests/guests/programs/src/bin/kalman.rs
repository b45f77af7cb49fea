//! Follows a moving body by an extended Kalman filter over what a radar says: the crate `nalgebra`.
//!
//! | | |
//! |---|---|
//! | stdin | a line per second: distance in metres and bearing in radians, separated by a blank |
//! | stdout | a line per second: the estimated place, x and y, and speed along both, with millimetres |
//! | exit | 0, or 1 if a line is not so |
//!
//! The state is place and speed; the radar is where x and y are 0, and knows neither.

use std::fmt::Write;
use std::process::ExitCode;

use nalgebra::{Matrix2, Matrix2x4, Matrix4, Vector2, Vector4};
use programs::Failure;

/// Noise of a second: of acceleration, in m/s², of a distance, in m, and of a bearing.
const ACCELERATION: f64 = 0.5;
const DISTANCE: f64 = 5.0;
const BEARING: f64 = 0.01;

struct Filter {
    state: Vector4<f64>,
    covariance: Matrix4<f64>,
}

impl Filter {
    /// Where the first measurement says, at rest as far as is known.
    fn new(measured: &Vector2<f64>) -> Filter {
        let (sine, cosine) = measured.y.sin_cos();
        Filter {
            state: Vector4::new(measured.x * cosine, measured.x * sine, 0.0, 0.0),
            covariance: Matrix4::from_diagonal(&Vector4::new(1e4, 1e4, 1e4, 1e4)),
        }
    }

    /// A second passes.
    fn predict(&mut self) {
        let mut step = Matrix4::identity();
        (step[(0, 2)], step[(1, 3)]) = (1.0, 1.0);
        let push = Vector4::new(0.5, 0.5, 1.0, 1.0);
        let mut noise = Matrix4::zeros();
        for (row, column) in [
            (0, 0),
            (0, 2),
            (2, 0),
            (2, 2),
            (1, 1),
            (1, 3),
            (3, 1),
            (3, 3),
        ] {
            noise[(row, column)] = push[row] * push[column] * ACCELERATION * ACCELERATION;
        }
        self.state = step * self.state;
        self.covariance = step * self.covariance * step.transpose() + noise;
    }

    /// A measurement corrects the state. What it would be is linear only near the state.
    fn correct(&mut self, measured: &Vector2<f64>) -> Result<(), Failure> {
        let (x, y) = (self.state.x, self.state.y);
        let square = x * x + y * y;
        let distance = square.sqrt();
        let slope = Matrix2x4::new(
            x / distance,
            y / distance,
            0.0,
            0.0,
            -y / square,
            x / square,
            0.0,
            0.0,
        );
        let noise = Matrix2::from_diagonal(&Vector2::new(DISTANCE * DISTANCE, BEARING * BEARING));
        let spread = slope * self.covariance * slope.transpose() + noise;
        let inverse = spread
            .try_inverse()
            .ok_or("the measurements do not determine a place")?;
        let gain = self.covariance * slope.transpose() * inverse;
        let surprise = measured - Vector2::new(distance, y.atan2(x));
        self.state += gain * surprise;
        self.covariance = (Matrix4::identity() - gain * slope) * self.covariance;
        Ok(())
    }
}

fn measurement(line: &str) -> Result<Vector2<f64>, Failure> {
    let (distance, bearing) = line
        .split_once(' ')
        .ok_or("a line has a distance and a bearing")?;
    Ok(Vector2::new(distance.parse()?, bearing.parse()?))
}

fn main() -> ExitCode {
    programs::run(|request| {
        let mut lines = String::new();
        let mut filter = None;
        for line in request.text()?.lines() {
            let measured = measurement(line)?;
            let filter = filter.get_or_insert_with(|| Filter::new(&measured));
            filter.predict();
            filter.correct(&measured)?;
            let state = &filter.state;
            writeln!(
                lines,
                "{:.3} {:.3} {:.3} {:.3}",
                state.x, state.y, state.z, state.w
            )?;
        }
        Ok(lines.into_bytes())
    })
}
