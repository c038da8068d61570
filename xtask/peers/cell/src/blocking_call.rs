//! One operation as one blocking system call, for the peers that have threads for that.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::slot::{Op, OpKind};

/// Carries it out on this thread.
///
/// # Errors
/// What the kernel answers.
pub fn carry_out(file: &File, op: Op, buffer: &mut [u8]) -> io::Result<usize> {
    match op.kind {
        OpKind::Read => file.read_at(buffer, op.offset),
        OpKind::Write => file.write_at(buffer, op.offset),
        OpKind::DataSync => file.sync_data().map(|()| 0),
        OpKind::Nop => Ok(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_at_an_offset_is_read_from_there() {
        let file = tempfile::tempfile().unwrap();
        let op = |kind| Op {
            kind,
            offset: 8192,
            len: 4096,
        };
        let mut buffer = [7; 4096];
        assert_eq!(
            carry_out(&file, op(OpKind::Write), &mut buffer).unwrap(),
            4096
        );
        assert_eq!(
            carry_out(&file, op(OpKind::DataSync), &mut buffer).unwrap(),
            0
        );
        let mut read = [0; 4096];
        assert_eq!(carry_out(&file, op(OpKind::Read), &mut read).unwrap(), 4096);
        assert_eq!(read, buffer);
        assert_eq!(carry_out(&file, op(OpKind::Nop), &mut read).unwrap(), 0);
    }
}
