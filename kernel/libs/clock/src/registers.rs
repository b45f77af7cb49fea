//! The date in the registers of an MC146818. Data sheet, "Time, Calendar, and Alarm Locations" and "Register B".

/// Of status register B: the values are binary, not two decimal digits.
const BINARY: u8 = 0x04;
/// Of status register B: hours count from 0 to 23, not twice from 1 to 12.
const HOURS_24: u8 = 0x02;
/// Of the hours, where they count twice to 12: after noon.
const AFTER_NOON: u8 = 0x80;

const DAYS_TO_2000: u64 = 10_957;
const MONTHS: [u8; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/// The registers as they were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registers {
    /// Seconds of the minute.
    pub second: u8,
    /// Minutes of the hour.
    pub minute: u8,
    /// Hours of the day.
    pub hour: u8,
    /// The day of the month, from 1.
    pub day: u8,
    /// The month, from 1.
    pub month: u8,
    /// The year of the century.
    pub year: u8,
    /// Status register B, which says how the others are to be read.
    pub status_b: u8,
}

impl Registers {
    /// Seconds since 1970, with the year one of 2000 to 2099; `None` if there is no such date.
    #[must_use]
    pub fn unix_s(&self) -> Option<u64> {
        let second = self.below(self.second, 60)?;
        let minute = self.below(self.minute, 60)?;
        let hour = self.hour()?;
        let year = self.below(self.year, 100)?;
        let month = self.below(self.month, 13)?.checked_sub(1)?;
        let day = self.below(self.day, 32)?.checked_sub(1)?;
        let is_leap = year.is_multiple_of(4);
        let days_of = |month: usize| u64::from(MONTHS[month]) + u64::from(is_leap && month == 1);
        if day >= days_of(month as usize) {
            return None;
        }
        let before: u64 = (0..month as usize).map(days_of).sum();
        let days = DAYS_TO_2000 + year * 365 + year.div_ceil(4) + before + day;
        Some(((days * 24 + hour) * 60 + minute) * 60 + second)
    }

    fn hour(&self) -> Option<u64> {
        if self.status_b & HOURS_24 != 0 {
            return self.below(self.hour, 24);
        }
        let hour = self.below(self.hour & !AFTER_NOON, 13)?;
        let noon = u64::from(self.hour & AFTER_NOON != 0);
        (hour > 0).then(|| hour % 12 + 12 * noon)
    }

    /// The number that a register holds, if it is one below `limit`.
    fn below(&self, register: u8, limit: u64) -> Option<u64> {
        let (tens, ones) = (u64::from(register >> 4), u64::from(register & 0xf));
        let value = match self.status_b & BINARY {
            0 if tens > 9 || ones > 9 => return None,
            0 => tens * 10 + ones,
            _ => u64::from(register),
        };
        (value < limit).then_some(value)
    }
}
