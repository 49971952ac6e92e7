//! Reading and writing the dates of HTTP and of cookies.
//!
//! All dates are read by the lenient algorithm for cookie dates (RFC 6265, section 5.1.1). It accepts the three forms
//! of RFC 9110, section 5.6.7, and the forms of cookies: with dashes, with full names, or without a weekday. Dates are
//! seconds since 1970 without leap seconds. Nothing here reads a clock.

use std::fmt;

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The weekdays from 1970-01-01 on, a Thursday.
const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];

const DAY: i64 = 24 * 60 * 60;

/// Returns the seconds since 1970, negative for earlier dates. Returns `None` if the text is not a date, or if the year
/// is before 1601.
///
/// Ignores time zones: the algorithm only knows GMT.
pub(crate) fn parse(text: &[u8]) -> Option<i64> {
    let (mut time, mut day, mut month, mut year) = (None, None, None, None);
    for token in text.split(|&byte| is_delimiter(byte)).filter(|token| !token.is_empty()) {
        // A token is taken for the first part that is still missing and that it can be.
        if time.is_none() && set(&mut time, time_of(token)) {
            continue;
        }
        if day.is_none() && set(&mut day, number(token, 1, 2)) {
            continue;
        }
        if month.is_none() && set(&mut month, month_of(token)) {
            continue;
        }
        if year.is_none() {
            year = number(token, 2, 4);
        }
    }
    let (hour, minute, second) = time?;
    let (day, month) = (day?, month?);
    let year = match year? {
        year @ 70..=99 => 1900 + year,
        year @ 0..=69 => 2000 + year,
        year => year,
    };
    if year < 1601 || !(1..=days_in(year, month)).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    Some(days_before(year, month) * DAY + (day - 1) * DAY + hour * 3600 + minute * 60 + second)
}

/// Returns the seconds since 1970 of a month, a day, an hour, a minute and a second in this year. The months begin at 1.
pub(crate) fn seconds(year: i64, [month, day, hour, minute, second]: [i64; 5]) -> Option<i64> {
    let month = usize::try_from(month).ok()?.checked_sub(1).filter(|month| *month < MONTHS.len())?;
    let fits = (1..=days_in(year, month)).contains(&day) && hour < 24 && minute < 60 && second < 61;
    fits.then(|| days_before(year, month) * DAY + (day - 1) * DAY + hour * 3600 + minute * 60 + second)
}

fn set<T>(place: &mut Option<T>, value: Option<T>) -> bool {
    *place = value;
    place.is_some()
}

fn is_delimiter(byte: u8) -> bool {
    matches!(byte, b'\t' | b' '..=b'/' | b';'..=b'@' | b'['..=b'`' | b'{'..=b'~')
}

/// Reads `least` to `most` digits at the start of `token`. Returns `None` if another digit follows.
fn number(token: &[u8], least: usize, most: usize) -> Option<i64> {
    let (value, rest) = digits(token, least, most)?;
    rest.first().is_none_or(|byte| !byte.is_ascii_digit()).then_some(value)
}

fn digits(token: &[u8], least: usize, most: usize) -> Option<(i64, &[u8])> {
    let len = token.iter().take(most).take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = token.split_at(len);
    let value = digits.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0'));
    (len >= least).then_some((value, rest))
}

/// Reads `hh:mm:ss`, each of one or two digits.
fn time_of(token: &[u8]) -> Option<(i64, i64, i64)> {
    let (hour, rest) = digits(token, 1, 2)?;
    let (minute, rest) = digits(rest.strip_prefix(b":")?, 1, 2)?;
    Some((hour, minute, number(rest.strip_prefix(b":")?, 1, 2)?))
}

/// Reads a month by its first three letters. January is 0.
fn month_of(token: &[u8]) -> Option<usize> {
    let start = token.get(..3)?;
    MONTHS.iter().position(|month| start.eq_ignore_ascii_case(month.as_bytes()))
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in(year: i64, month: usize) -> i64 {
    match month {
        1 if is_leap(year) => 29,
        1 => 28,
        3 | 5 | 8 | 10 => 30,
        _ => 31,
    }
}

/// Returns the number of days from 1970-01-01 to the first of this month.
fn days_before(year: i64, month: usize) -> i64 {
    // The leap days before this year, less those before 1970.
    let leap_days = |years: i64| years.div_euclid(4) - years.div_euclid(100) + years.div_euclid(400);
    let before = (year - 1970) * 365 + leap_days(year - 1) - leap_days(1969);
    before + (0..month).map(|month| days_in(year, month)).sum::<i64>()
}

/// Seconds since 1970, shown as IMF-fixdate (RFC 9110, section 5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`.
#[derive(Clone, Copy)]
pub(crate) struct ImfDate(pub(crate) i64);

impl fmt::Display for ImfDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, second) = (self.0.div_euclid(DAY), self.0.rem_euclid(DAY));
        // The first guess is never too late, because no year is longer than 366 days, and a few steps correct it. The
        // calendar repeats after 400 years of 146,097 days.
        let (cycles, days_left) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let mut year = 1970 + days_left / 366;
        while days_before(year + 1, 0) <= days_left {
            year += 1;
        }
        let (mut month, mut day) = (0, days_left - days_before(year, 0));
        while day >= days_in(year, month) {
            day -= days_in(year, month);
            month += 1;
        }
        let (weekday, name) = (WEEKDAYS[days.rem_euclid(7) as usize], MONTHS[month % 12]);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        let (year, day) = (year + 400 * cycles, day + 1);
        write!(f, "{weekday}, {day:02} {name} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_http_and_of_cookies() {
        const SEED: i64 = 784_111_777;
        let table: &[(&str, Option<i64>)] = &[
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(SEED)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(SEED)),
            ("Sun Nov  6 08:49:37 1994", Some(SEED)),
            ("Sun, 06-Nov-1994 08:49:37 GMT", Some(SEED)),
            ("6 nov 1994 8:49:37", Some(SEED)),
            ("08:49:37,1994;november/6th", Some(SEED)),
            ("Sun, 06 Nov 1994 08:49:37 -0500", Some(SEED)),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("Wed, 31 Dec 1969 23:59:59 GMT", Some(-1)),
            ("Mon, 01 Jan 1601 00:00:00 GMT", Some(-11_644_473_600)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(253_402_300_799)),
            ("Tue, 29 Feb 2000 00:00:00 GMT", Some(951_782_400)),
            ("01-Jan-69 00:00:00", Some(3_124_224_000)),
            ("01-Jan-70 00:00:00", Some(0)),
            ("Thu, 29 Feb 1900 00:00:00 GMT", None),
            ("Sat, 31 Apr 2021 00:00:00 GMT", None),
            ("Sat, 00 Apr 2021 00:00:00 GMT", None),
            ("01 Jan 1600 00:00:00", None),
            ("01 Jan 99999 00:00:00", None),
            ("01 Jan 107 00:00:00", None),
            ("01 Jan 2021 24:00:00", None),
            ("01 Jan 2021 00:60:00", None),
            ("01 Jan 2021 00:00:60", None),
            ("01 Jan 2021 00:00", None),
            ("01 Jan 2021 00:00:000", None),
            ("2021-01-01T00:00:00Z", None),
            ("99999999999999999999999999", None),
            ("0", None),
            ("", None),
        ];
        for (text, expected) in table {
            assert_eq!(parse(text.as_bytes()), *expected, "{text}");
        }
        assert_eq!(parse(b"01 Jan 2021 00:00:00\xFF\x00"), Some(1_609_459_200));
    }

    #[test]
    fn every_date_reads_back() {
        let table = [
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (-1, "Wed, 31 Dec 1969 23:59:59 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"),
        ];
        for (seconds, text) in table {
            assert_eq!(ImfDate(seconds).to_string(), text);
        }
        // Every day from 1601 to 9999, at another time of the day each.
        for day in -134_774..2_932_897_i64 {
            let seconds = day * DAY + day.rem_euclid(DAY);
            if day % 13 == 0 || day % 365 < 3 {
                assert_eq!(parse(ImfDate(seconds).to_string().as_bytes()), Some(seconds), "{day}");
            }
        }
        for seconds in [i64::MIN, i64::MAX] {
            assert!(ImfDate(seconds).to_string().ends_with(" GMT"));
        }
    }
}
