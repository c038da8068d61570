//! A round on its way from the run that failed to the one that looks into it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::carrier::Carrier;
use super::round::Round;
use crate::usage_error::UsageError;

/// Changes when older files cannot be read any more.
const FORMAT: u32 = 1;

/// All that is needed to run a round again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReplayFile {
    format: u32,
    pub(crate) driver: Carrier,
    pub(crate) direct: bool,
    pub(crate) faulty: bool,
    /// What was wrong then, for people.
    pub(crate) findings: Vec<String>,
    pub(crate) round: Round,
}

impl ReplayFile {
    pub(crate) fn new(driver: Carrier, direct: bool, faulty: bool, round: Round) -> Self {
        Self {
            format: FORMAT,
            driver,
            direct,
            faulty,
            findings: Vec::new(),
            round,
        }
    }

    /// Writes it into `folder`, under a name that says where it is from.
    pub(crate) fn write(&self, folder: &Path) -> anyhow::Result<PathBuf> {
        let name = format!("{}-{:016x}.json", self.driver, self.round.seed);
        let path = folder.join(name);
        let text = serde_json::to_string(self)?;
        fs::write(&path, text).with_context(|| path.display().to_string())?;
        Ok(path)
    }

    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let said = || format!("--replay: {}", path.display());
        let text =
            fs::read_to_string(path).map_err(|error| UsageError(format!("{}: {error}", said())))?;
        let file: Self = serde_json::from_str(&text)
            .map_err(|error| UsageError(format!("{}: no replay file: {error}", said())))?;
        if file.format != FORMAT {
            let format = file.format;
            let text = format!("{}: of format {format}, not {FORMAT}", said());
            return Err(UsageError(text).into());
        }
        file.check()
            .map_err(|wrong| UsageError(format!("{}: {wrong}", said())))?;
        Ok(file)
    }

    /// Somebody may have changed it by hand.
    fn check(&self) -> Result<(), String> {
        let Round {
            depth,
            window,
            contexts,
            ref senders,
            file_bytes,
            ..
        } = self.round;
        if depth == 0 || window == 0 || contexts == 0 || senders.is_empty() {
            return Err("depth, window, contexts and senders are at least 1".to_owned());
        }
        for (number, script) in senders.iter().enumerate() {
            let is_inside = |begin: usize, len: usize| {
                let end = begin.checked_add(len);
                len > 0
                    && begin >= script.share.start
                    && end.is_some_and(|end| end <= script.share.end)
            };
            let mut all = script.operations.iter();
            if !all.all(|operation| is_inside(operation.begin, operation.len)) {
                return Err(format!(
                    "sender {number} leaves its share {:?}",
                    script.share
                ));
            }
            if script.share.end > file_bytes {
                return Err(format!("the share of sender {number} is beyond the file"));
            }
        }
        let mut pairs = senders.windows(2);
        match pairs.all(|pair| pair[0].share.end <= pair[1].share.start) {
            true => Ok(()),
            false => Err("the shares of senders overlap".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::round::{Wishes, plan};
    use super::super::script::Abilities;
    use super::*;

    type Change = fn(&mut ReplayFile);

    fn file() -> ReplayFile {
        let wishes = Wishes {
            way: None,
            merges: None,
            has_gaps: true,
            depth: None,
            senders: Some(2),
            operations_max: 50,
            fixed_bytes: None,
        };
        let abilities = Abilities {
            unit: 1,
            allocations: Vec::new(),
        };
        let round = plan(3, 50, &wishes, &abilities);
        ReplayFile::new(Carrier::Sim, false, true, round)
    }

    #[test]
    fn what_was_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = file().write(folder.path()).unwrap();
        assert_eq!(ReplayFile::read(&path).unwrap(), file());
    }

    #[test]
    fn what_cannot_be_run_is_refused_with_the_reason() {
        let folder = tempfile::tempdir().unwrap();
        let changes: [(Change, &str); 5] = [
            (|file| file.format = 99, "format 99"),
            (|file| file.round.depth = 0, "at least 1"),
            (|file| file.round.senders[1].share.start = 0, "overlap"),
            (|file| file.round.file_bytes = 10, "beyond the file"),
            (
                |file| file.round.senders[0].operations[0].begin = usize::MAX,
                "leaves its share",
            ),
        ];
        for (change, reason) in changes {
            let mut file = file();
            change(&mut file);
            let path = file.write(folder.path()).unwrap();
            let error = ReplayFile::read(&path).unwrap_err();
            assert!(error.is::<UsageError>());
            assert!(error.to_string().contains(reason), "{error}");
        }
        assert!(ReplayFile::read(Path::new("no such file")).is_err());
    }
}
