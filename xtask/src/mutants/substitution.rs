//! Replacing one text by another, which is to be there exactly once.

use std::fmt;

/// A file with its bug in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Planted {
    pub(crate) text: String,
    /// The line in which the replaced text began, from 1 on.
    pub(crate) line: usize,
}

/// Why a text cannot be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// There is nothing to look for.
    Empty,
    /// It would leave everything as it is.
    Same,
    /// The text to be replaced is not there.
    Missing,
    /// It is there as often as this.
    Repeated(usize),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the text to find is empty"),
            Self::Same => f.write_str("the text to find and its replacement are the same"),
            Self::Missing => f.write_str(
                "the text to find is not there; the code has changed, so bring the entry up to date",
            ),
            Self::Repeated(times) => write!(
                f,
                "the text to find is there {times} times; make it longer until it is there once"
            ),
        }
    }
}

/// `text` with `replacement` in place of `wanted`.
///
/// # Errors
/// A [`Refusal`] unless `wanted` is there exactly once.
pub(crate) fn substitute(text: &str, wanted: &str, replacement: &str) -> Result<Planted, Refusal> {
    if wanted.is_empty() {
        return Err(Refusal::Empty);
    }
    if wanted == replacement {
        return Err(Refusal::Same);
    }
    match text.match_indices(wanted).count() {
        0 => Err(Refusal::Missing),
        1 => {
            let before = text.split(wanted).next().unwrap_or_default();
            Ok(Planted {
                line: before.matches('\n').count() + 1,
                text: text.replacen(wanted, replacement, 1),
            })
        }
        times => Err(Refusal::Repeated(times)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "fn a() {\n    one();\n    two();\n    two();\n}\n";

    #[test]
    fn what_is_there_once_is_replaced_and_its_line_is_told() {
        let planted = substitute(TEXT, "one();", "three();").unwrap();
        assert_eq!(planted.text, TEXT.replace("one", "three"));
        assert_eq!(planted.line, 2);
        let over_lines = substitute(TEXT, "one();\n    two();", "").unwrap();
        assert_eq!(over_lines.text, "fn a() {\n    \n    two();\n}\n");
        assert_eq!(over_lines.line, 2);
    }

    #[test]
    fn what_is_there_never_or_twice_is_refused() {
        assert_eq!(substitute(TEXT, "four();", "x"), Err(Refusal::Missing));
        assert_eq!(substitute(TEXT, "two();", "x"), Err(Refusal::Repeated(2)));
    }

    #[test]
    fn what_changes_nothing_is_refused() {
        assert_eq!(substitute(TEXT, "", "x"), Err(Refusal::Empty));
        assert_eq!(substitute(TEXT, "one();", "one();"), Err(Refusal::Same));
    }
}
