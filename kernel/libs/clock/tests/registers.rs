//! What dates the registers hold.

use luge_clock::Registers;

/// 2026-11-29 15:09:21 in two decimal digits, 24 hours.
const DECIMAL: Registers = Registers {
    second: 0x21,
    minute: 0x09,
    hour: 0x15,
    day: 0x29,
    month: 0x11,
    year: 0x26,
    status_b: 0x02,
};
const UNIX_S: u64 = 1_795_964_961;

#[test]
fn a_date_is_read_in_each_of_the_four_formats() {
    let binary = Registers {
        second: 21,
        minute: 9,
        hour: 15,
        day: 29,
        month: 11,
        year: 26,
        status_b: 0x06,
    };
    let afternoon = Registers {
        hour: 0x83,
        status_b: 0,
        ..DECIMAL
    };
    let binary_afternoon = Registers {
        hour: 0x83,
        status_b: 0x04,
        ..binary
    };
    for registers in [DECIMAL, binary, afternoon, binary_afternoon] {
        assert_eq!(registers.unix_s(), Some(UNIX_S), "{registers:x?}");
    }
}

#[test]
fn twelve_is_midnight_before_noon_and_noon_after() {
    let at = |hour| Registers {
        hour,
        status_b: 0,
        ..DECIMAL
    };
    let midnight = at(0x12).unix_s().unwrap();
    assert_eq!(at(0x92).unix_s().unwrap() - midnight, 12 * 3_600);
    assert_eq!(UNIX_S - midnight, 15 * 3_600);
}

#[test]
fn days_follow_each_other_over_a_century() {
    let digits = |number: u64| (number / 10 * 16 + number % 10) as u8;
    let mut before = 946_684_800 - 86_400;
    for year in 0..100 {
        for month in 1..=12 {
            for day in 1..=31 {
                let registers = Registers {
                    second: 0,
                    minute: 0,
                    hour: 0,
                    day: digits(day),
                    month: digits(month),
                    year: digits(year),
                    ..DECIMAL
                };
                let Some(now) = registers.unix_s() else {
                    assert!(day > 28, "{year} {month} {day}");
                    continue;
                };
                assert_eq!(now, before + 86_400, "{year} {month} {day}");
                before = now;
            }
        }
    }
    assert_eq!(before, 4_102_358_400);
}

#[test]
fn what_is_no_date_is_none() {
    let wrong = [
        Registers {
            second: 0x60,
            ..DECIMAL
        },
        Registers {
            second: 0x0a,
            ..DECIMAL
        },
        Registers {
            minute: 0xa0,
            ..DECIMAL
        },
        Registers {
            hour: 0x24,
            ..DECIMAL
        },
        Registers {
            hour: 0,
            status_b: 0,
            ..DECIMAL
        },
        Registers {
            hour: 0x13,
            status_b: 0,
            ..DECIMAL
        },
        Registers { day: 0, ..DECIMAL },
        Registers {
            day: 0x31,
            ..DECIMAL
        },
        Registers {
            day: 0x30,
            month: 0x02,
            ..DECIMAL
        },
        Registers {
            day: 0x29,
            month: 0x02,
            ..DECIMAL
        },
        Registers {
            month: 0,
            ..DECIMAL
        },
        Registers {
            month: 0x13,
            ..DECIMAL
        },
        Registers {
            year: 0xff,
            ..DECIMAL
        },
    ];
    for registers in wrong {
        assert_eq!(registers.unix_s(), None, "{registers:x?}");
    }
}

#[test]
fn a_bus_with_nothing_on_it_shows_no_date() {
    for value in [0, 0xff] {
        let registers = Registers {
            second: value,
            minute: value,
            hour: value,
            day: value,
            month: value,
            year: value,
            status_b: value,
        };
        assert_eq!(registers.unix_s(), None);
    }
}

#[test]
fn whatever_is_in_the_registers_is_a_date_or_none() {
    for status_b in [0, 2, 4, 6] {
        for value in 0..=255 {
            for place in 0..6 {
                let mut all = [0x01; 6];
                all[place] = value;
                let [second, minute, hour, day, month, year] = all;
                let registers = Registers {
                    second,
                    minute,
                    hour,
                    day,
                    month,
                    year,
                    status_b,
                };
                let date = registers.unix_s();
                assert!(date.is_none_or(|date| (946_684_800..4_102_444_800).contains(&date)));
            }
        }
    }
}
