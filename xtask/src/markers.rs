//! The part of a page that a command writes: what lies between two marker lines.

use std::fs;
use std::ops::Range;
use std::path::Path;

use crate::usage_error::UsageError;

/// Two lines of a Markdown file, and nothing else on them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Markers {
    pub(crate) begin: &'static str,
    pub(crate) end: &'static str,
}

impl Markers {
    /// The page and what of it lies between the markers.
    pub(crate) fn read(self, path: &Path) -> Result<(String, Range<usize>), UsageError> {
        let (name, begin, end) = (path.display(), self.begin, self.end);
        let text = fs::read_to_string(path).map_err(|error| {
            UsageError(format!(
                "--page: {name}: {error}; it takes a Markdown file with the lines `{begin}` and `{end}`"
            ))
        })?;
        let between = self.between(&text);
        let between = between.map_err(|reason| UsageError(format!("--page: {name}: {reason}")))?;
        Ok((text, between))
    }

    pub(crate) fn between(self, text: &str) -> Result<Range<usize>, String> {
        let begin = self.only_line(text, self.begin)?;
        let end = self.only_line(text, self.end)?;
        if end.start < begin.end {
            return Err(format!(
                "the line `{}` is above the line `{}`: exchange them",
                self.end, self.begin
            ));
        }
        Ok(begin.end..end.start)
    }

    /// Where the line `marker` is; its end of line is part of it.
    fn only_line(self, text: &str, marker: &str) -> Result<Range<usize>, String> {
        let mut at = 0;
        let mut found = None;
        for line in text.split_inclusive('\n') {
            let here = at..at + line.len();
            at = here.end;
            if line.trim() != marker {
                continue;
            }
            if found.replace(here).is_some() {
                return Err(format!(
                    "the line `{marker}` is there more than once: leave one"
                ));
            }
        }
        let (begin, end) = (self.begin, self.end);
        found.ok_or_else(|| {
            format!(
                "no line `{marker}`: add the lines `{begin}` and `{end}`, in this order, where the tables belong"
            )
        })
    }
}

/// The page with other text between its markers.
pub(crate) fn replaced(text: &str, between: Range<usize>, new: &str) -> String {
    let (before, after) = (&text[..between.start], &text[between.end..]);
    format!("{before}\n{new}\n{after}")
}
