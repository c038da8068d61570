//! Numbers as people read them: three digits and a unit.

/// As in `1.21M`, `93.4k`, `812`, `4.06`, `0.031`.
pub(crate) fn short(value: f64) -> String {
    if 0.0 < value && value < 0.0005 {
        return "<0.001".to_owned();
    }
    let (scaled, unit) = match value.abs() {
        // What would be rounded up to the next unit belongs to it.
        size if size >= 999.5e6 => (value / 1e9, "G"),
        size if size >= 999.5e3 => (value / 1e6, "M"),
        size if size >= 9999.5 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    format!("{scaled:.*}{unit}", decimals(scaled))
}

/// The same for a mark on an axis, which is a round number: `1M`, `50k`, `0.2`.
pub(crate) fn round(value: f64) -> String {
    let text = short(value);
    let digits = text.trim_end_matches(char::is_alphabetic);
    let unit = &text[digits.len()..];
    let digits = match digits.contains('.') {
        true => digits.trim_end_matches('0').trim_end_matches('.'),
        false => digits,
    };
    format!("{digits}{unit}")
}

/// So many decimals that three digits are seen.
fn decimals(value: f64) -> usize {
    match value.abs() {
        size if size >= 99.95 => 0,
        size if size >= 9.995 => 1,
        size if size >= 0.0995 => 2,
        size if size > 0.0 => 3,
        _ => 0,
    }
}

/// As in `94 %`.
pub(crate) fn percent(part: f64) -> String {
    format!("{:.0} %", part * 100.0)
}

/// As in `+12 %` and `-3.1 %`.
pub(crate) fn change(part: f64) -> String {
    let percent = part * 100.0;
    let decimals = usize::from(percent.abs() < 9.95);
    format!("{percent:+.decimals$} %")
}

/// As in `1 GiB` and `256 MiB`.
pub(crate) fn binary_bytes(bytes: u64) -> String {
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    let whole = |shift: u32| bytes >= 1 << shift && bytes.trailing_zeros() >= shift;
    let fitting = units.into_iter().find(|(shift, _)| whole(*shift));
    fitting.map_or_else(
        || format!("{bytes} bytes"),
        |(shift, unit)| format!("{} {unit}", bytes >> shift),
    )
}

/// What to show where there is nothing.
pub(crate) fn or_dash(text: Option<String>) -> String {
    text.unwrap_or_else(|| "-".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_and_a_unit() {
        for (value, expected) in [
            (1_214_000.0, "1.21M"),
            (93_444.0, "93.4k"),
            (999_600.0, "1.00M"),
            (9999.0, "9999"),
            (812.4, "812"),
            (99.96, "100"),
            (40.61, "40.6"),
            (4.061, "4.06"),
            (0.0312, "0.031"),
            (0.0, "0"),
            (0.0002, "<0.001"),
            (2e9, "2.00G"),
        ] {
            assert_eq!(short(value), expected);
        }
    }

    #[test]
    fn marks_on_an_axis_have_no_needless_zero() {
        for (value, expected) in [(1e6, "1M"), (5e4, "50k"), (0.2, "0.2"), (200.0, "200")] {
            assert_eq!(round(value), expected);
        }
        assert_eq!(round(0.0), "0");
        assert_eq!(round(2500.0), "2500");
    }

    #[test]
    fn parts_and_changes_are_percent() {
        assert_eq!(percent(0.937), "94 %");
        assert_eq!(change(0.1234), "+12 %");
        assert_eq!(change(-0.031), "-3.1 %");
    }

    #[test]
    fn sizes_are_whole_units_or_bytes() {
        assert_eq!(binary_bytes(1 << 30), "1 GiB");
        assert_eq!(binary_bytes(5 << 20), "5 MiB");
        assert_eq!(binary_bytes(4097), "4097 bytes");
        assert_eq!(binary_bytes(0), "0 bytes");
    }
}
