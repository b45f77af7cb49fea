//! Numbers as they stand in a picture.

use std::ops::Range;

/// The powers of ten in a span of microseconds, both ends included.
pub fn decades(span: &Range<f64>) -> Vec<f64> {
    let (first, last) = (span.start.log10().round(), span.end.log10().round());
    let powers = first as i32..=last as i32;
    powers.map(|power| 10_f64.powi(power)).collect()
}

/// So many microseconds, as people say it.
pub fn time(us: f64) -> String {
    match us {
        us if us < 1e3 => format!("{us} µs"),
        us if us < 1e6 => format!("{} ms", us / 1e3),
        us => format!("{} s", us / 1e6),
    }
}

/// A number in four characters at most, up to a million.
pub fn short(number: f64) -> String {
    match number {
        number if number < 999.5 => format!("{number:.0}"),
        number if number < 9_950.0 => format!("{:.1}k", number / 1e3),
        number => format!("{:.0}k", number / 1e3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decades_are_the_powers_of_ten_with_both_ends() {
        assert_eq!(decades(&(1.0..1_000.0)), [1.0, 10.0, 100.0, 1_000.0]);
    }

    #[test]
    fn times_are_said_in_the_unit_that_fits() {
        let said = [1.0, 100.0, 1e3, 1e5, 1e6, 1e7].map(time);
        assert_eq!(said, ["1 µs", "100 µs", "1 ms", "100 ms", "1 s", "10 s"]);
    }

    #[test]
    fn a_large_number_is_said_in_thousands() {
        let said = [0.0, 999.0, 999.9, 9_944.0, 9_960.0, 95_432.0].map(short);
        assert_eq!(said, ["0", "999", "1.0k", "9.9k", "10k", "95k"]);
    }
}
