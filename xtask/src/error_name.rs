//! An error by the name that people know.

use std::io;

use nix::errno::Errno;

/// `EIO` and the like; for the engine's own errors their kind.
pub(crate) fn error_name(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(errno) => format!("{:?}", Errno::from_raw(errno)),
        None => format!("{:?}", error.kind()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_the_names_that_people_know() {
        assert_eq!(error_name(&io::Error::from_raw_os_error(5)), "EIO");
        assert_eq!(error_name(&io::ErrorKind::WriteZero.into()), "WriteZero");
    }
}
