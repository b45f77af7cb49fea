//! The motion of the Sun and the four large planets, step by step.
//!
//! | | |
//! |---|---|
//! | argument 1 | how many steps of 0.01 days, else 1000 |
//! | stdout | the system's energy before and after them, a line each, with 9 digits |
//! | exit | 0, or 1 if the argument is no number |
//!
//! Masses, places and speeds are those with which languages are usually compared, and so are the results.

use std::f64::consts::PI;
use std::process::ExitCode;

const SOLAR_MASS: f64 = 4.0 * PI * PI;
const DAYS: f64 = 365.24;
const STEP: f64 = 0.01;

type Vector = [f64; 3];

#[derive(Clone, Copy)]
struct Body {
    place: Vector,
    speed: Vector,
    mass: f64,
}

/// A body whose speed is given in astronomical units a day, and its mass in Suns.
fn body(place: Vector, speed: Vector, mass: f64) -> Body {
    let speed = speed.map(|it| it * DAYS);
    let mass = mass * SOLAR_MASS;
    Body { place, speed, mass }
}

fn solar_system() -> [Body; 5] {
    [
        body([0.0; 3], [0.0; 3], 1.0),
        body(
            [
                4.841_431_442_464_721,
                -1.160_320_044_027_428_4,
                -0.103_622_044_471_123_11,
            ],
            [
                0.001_660_076_642_744_037,
                0.007_699_011_184_197_404,
                -0.000_069_046_001_697_206_3,
            ],
            0.000_954_791_938_424_326_6,
        ),
        body(
            [
                8.343_366_718_244_58,
                4.124_798_564_124_305,
                -0.403_523_417_114_321,
            ],
            [
                -0.002_767_425_107_268_624,
                0.004_998_528_012_349_172,
                0.000_023_041_729_757_376_393,
            ],
            0.000_285_885_980_666_130_8,
        ),
        body(
            [
                12.894_369_562_139_13,
                -15.111_151_401_698_631,
                -0.223_307_578_892_655_74,
            ],
            [
                0.002_964_601_375_647_616,
                0.002_378_471_739_594_809_5,
                -0.000_029_658_956_854_023_756,
            ],
            0.000_043_662_440_433_515_63,
        ),
        body(
            [
                15.379_697_114_850_917,
                -25.919_314_609_987_964,
                0.179_258_772_950_371_18,
            ],
            [
                0.002_680_677_724_903_893_2,
                0.001_628_241_700_382_423,
                -0.000_095_159_225_451_971_59,
            ],
            0.000_051_513_890_204_661_145,
        ),
    ]
}

/// Adds `factor` times `what` to `sum`.
fn add(sum: &mut Vector, factor: f64, what: &Vector) {
    for (sum, what) in sum.iter_mut().zip(what) {
        *sum += factor * what;
    }
}

/// Gives the Sun the speed at which the whole stays where it is.
fn rest(bodies: &mut [Body]) {
    let mut momentum = [0.0; 3];
    for body in bodies.iter() {
        add(&mut momentum, body.mass, &body.speed);
    }
    bodies[0].speed = momentum.map(|it| -it / SOLAR_MASS);
}

/// The way from one body to another, and the square of its length.
fn between(one: &Body, other: &Body) -> (Vector, f64) {
    let mut way = one.place;
    add(&mut way, -1.0, &other.place);
    (way, way.iter().map(|it| it * it).sum())
}

fn energy(bodies: &[Body]) -> f64 {
    let mut energy = 0.0;
    for (index, body) in bodies.iter().enumerate() {
        let square: f64 = body.speed.iter().map(|it| it * it).sum();
        energy += 0.5 * body.mass * square;
        for other in &bodies[index + 1..] {
            energy -= body.mass * other.mass / between(body, other).1.sqrt();
        }
    }
    energy
}

fn advance(bodies: &mut [Body]) {
    for index in 1..bodies.len() {
        let (before, rest) = bodies.split_at_mut(index);
        let one = &mut before[index - 1];
        for other in rest {
            let (way, square) = between(one, other);
            let pull = STEP / (square * square.sqrt());
            add(&mut one.speed, -other.mass * pull, &way);
            add(&mut other.speed, one.mass * pull, &way);
        }
    }
    for body in bodies {
        let speed = body.speed;
        add(&mut body.place, STEP, &speed);
    }
}

fn main() -> ExitCode {
    programs::run(|request| {
        let mut bodies = solar_system();
        rest(&mut bodies);
        let before = energy(&bodies);
        for _ in 0..request.parsed(0, 1000)? {
            advance(&mut bodies);
        }
        Ok(format!("{before:.9}\n{:.9}\n", energy(&bodies)).into_bytes())
    })
}
