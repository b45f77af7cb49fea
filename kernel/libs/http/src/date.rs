//! The `Date` header's format.

/// A date as HTTP writes it: `Sun, 06 Nov 1994 08:49:37 GMT`.
///
/// RFC 9110, "Date/Time Formats" (5.6.7). It changes once a second, so a server makes one and keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date {
    text: [u8; 29],
}

const DAYS: &[u8; 21] = b"SunMonTueWedThuFriSat";
const MONTHS: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
const DAY_S: u64 = 86_400;

impl Date {
    /// The date this many seconds after 1970-01-01 00:00:00 UTC; the year's last four digits are shown.
    pub fn from_unix_s(unix_s: u64) -> Self {
        let (days, second) = (unix_s / DAY_S, unix_s % DAY_S);
        let (year, month, day) = civil(days);
        let mut text = *b"Thu, 00 Jan 0000 00:00:00 GMT";
        // 1970-01-01 was a Thursday.
        text[0..3].copy_from_slice(name(DAYS, (days + 4) % 7));
        decimal(&mut text[5..7], day);
        text[8..11].copy_from_slice(name(MONTHS, month - 1));
        decimal(&mut text[12..16], year);
        decimal(&mut text[17..19], second / 3600);
        decimal(&mut text[20..22], second / 60 % 60);
        decimal(&mut text[23..25], second % 60);
        Self { text }
    }

    /// The date as the bytes of a header value.
    pub fn as_bytes(&self) -> &[u8] {
        &self.text
    }
}

/// Year, month (1 to 12) and day (1 to 31) of a day counted from 1970-01-01.
///
/// Counts in eras of 400 years from 0000-03-01, so that the leap day is the last of its year
/// (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

/// The three letters at this place of a table of names.
fn name(table: &[u8], index: u64) -> &[u8] {
    let start = index as usize * 3;
    &table[start..start + 3]
}

/// Writes the last digits of a number, as many as there is room for.
fn decimal(room: &mut [u8], mut number: u64) {
    for digit in room.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_standard_and_of_the_calendar() {
        for (unix_s, text) in [
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (951_782_399, "Mon, 28 Feb 2000 23:59:59 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (1_798_761_600, "Fri, 01 Jan 2027 00:00:00 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
        ] {
            assert_eq!(Date::from_unix_s(unix_s).as_bytes(), text.as_bytes());
        }
    }

    #[test]
    fn no_time_is_too_late_for_a_date() {
        Date::from_unix_s(u64::MAX);
    }
}
