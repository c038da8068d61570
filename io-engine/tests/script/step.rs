//! What the bytes of a script mean. Every string of bytes is a script, so that a fuzzer wastes none.

use io_engine::sim::{Fault, Survival};
use io_engine::tasks::IOAction;

/// No file of a script reaches beyond this.
pub(crate) const FILE_BYTES: usize = if cfg!(miri) { 1024 } else { 4096 };
/// What direct files are read and written in.
pub(crate) const SECTOR: usize = 512;
/// Files by their handles: the first two lead to one file.
pub(crate) const HANDLES: usize = 3;
/// Which of the handles is for direct I/O.
pub(crate) const DIRECT: usize = 1;

/// How an engine is set up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    pub(crate) depth: usize,
    pub(crate) merging: Merging,
    pub(crate) reports_short_transfers: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Merging {
    Off,
    On,
    WithHoles,
}

/// One thing that is done.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Transfers(Transfers),
    /// Everything else that an event can ask for.
    Plain {
        action: IOAction,
        handle: usize,
        at: usize,
        len: usize,
    },
    /// An event that cannot work.
    Invalid(Invalid),
    Run(Turns),
    Inject(Injection),
    SetCapacity {
        bytes: u64,
    },
    Heal,
    Acknowledge {
        handle: usize,
    },
    Reopen(Reopening),
}

/// Reads or writes that lie side by side.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Transfers {
    pub(crate) action: IOAction,
    pub(crate) handle: usize,
    pub(crate) at: usize,
    pub(crate) len: usize,
    pub(crate) count: usize,
    pub(crate) order: Order,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Ascending,
    Descending,
    /// Each is handed over by the callback of the one before.
    FromCallbacks,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Invalid {
    EmptyBuffer,
    NoBuffer,
    NegativeOffset,
    Overflow,
    MisalignedOffset,
    MisalignedLength,
    NoSuchFile,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Turns {
    Never(usize),
    For(usize),
    Until,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Injection {
    pub(crate) fault: Fault,
    pub(crate) when: When,
    pub(crate) only: Only,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum When {
    Nth(u64),
    FromNth(u64),
    OneIn(usize),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Only {
    Everything,
    Of(IOAction),
    Handle(usize),
}

/// The engine ends, perhaps in a crash, and another one goes on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reopening {
    pub(crate) end: End,
    pub(crate) crash: Option<Survival>,
    pub(crate) setup: Setup,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Dropped,
    /// With a deadline, in milliseconds.
    WithDeadline(u64),
}

/// The actions that move no bytes.
const PLAIN: [IOAction; 7] = [
    IOAction::Sync,
    IOAction::DataSync,
    IOAction::Allocate,
    IOAction::AllocateKeepSize,
    IOAction::PunchHole,
    IOAction::ZeroRange,
    IOAction::Nop,
];

/// All but those that end the process on purpose.
const FAULTS: [Fault; 14] = [
    Fault::Short,
    Fault::Nothing,
    Fault::Io,
    Fault::NoSpace,
    Fault::Quota,
    Fault::Cancelled,
    Fault::Again,
    Fault::Interrupted,
    Fault::Delay,
    Fault::Hang,
    Fault::Prefix,
    Fault::Busy,
    Fault::Rejected,
    Fault::BrokenQueue,
];

const INVALID: [Invalid; 7] = [
    Invalid::EmptyBuffer,
    Invalid::NoBuffer,
    Invalid::NegativeOffset,
    Invalid::Overflow,
    Invalid::MisalignedOffset,
    Invalid::MisalignedLength,
    Invalid::NoSuchFile,
];

/// Takes a script apart, byte by byte.
#[derive(Debug)]
pub(crate) struct Steps<'a>(&'a [u8]);

impl<'a> Steps<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next byte; zeroes follow the last.
    fn byte(&mut self) -> usize {
        match self.0.split_first() {
            Some((&first, rest)) => {
                self.0 = rest;
                first.into()
            }
            None => 0,
        }
    }

    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.byte() % choices.len()]
    }

    pub(crate) fn seed(&mut self) -> u64 {
        (self.byte() << 8 | self.byte()) as u64
    }

    pub(crate) fn setup(&mut self) -> Setup {
        let kinds = self.byte();
        let merging = [Merging::Off, Merging::On, Merging::WithHoles];
        Setup {
            depth: self.one_of(&[16, 1, 2, 3, 7, 64]),
            merging: merging[kinds % 3],
            reports_short_transfers: kinds & 0x80 != 0,
        }
    }

    fn place(&mut self, handle: usize) -> usize {
        let place = (self.byte() << 8 | self.byte()) % FILE_BYTES;
        place - place % unit(handle)
    }

    fn len(&mut self, handle: usize) -> usize {
        match unit(handle) {
            1 => 1 + self.byte() * 4,
            unit => (1 + self.byte() % 4) * unit,
        }
    }

    fn transfers(&mut self, action: IOAction) -> Transfers {
        let kinds = self.byte();
        let handle = kinds % HANDLES;
        let order = [Order::Ascending, Order::Descending, Order::FromCallbacks];
        Transfers {
            action,
            handle,
            at: self.place(handle),
            len: self.len(handle),
            count: 1 + (kinds >> 5),
            order: order[(kinds >> 3) % 4 % 3],
        }
    }

    fn plain(&mut self) -> Step {
        let handle = self.byte() % HANDLES;
        Step::Plain {
            action: self.one_of(&PLAIN),
            handle,
            at: self.place(handle),
            len: self.len(handle),
        }
    }

    fn injection(&mut self) -> Injection {
        let (fault, kinds) = (self.one_of(&FAULTS), self.byte());
        let n = 1 + self.byte() % 64;
        Injection {
            fault,
            when: match kinds % 3 {
                0 => When::Nth(n as u64),
                1 => When::FromNth(n as u64),
                _ => When::OneIn(n),
            },
            only: match (kinds >> 2) % 8 {
                0 => Only::Of(IOAction::Read),
                1 => Only::Of(IOAction::Write),
                2 => Only::Of(IOAction::Sync),
                3 => Only::Handle((kinds >> 5) % HANDLES),
                _ => Only::Everything,
            },
        }
    }

    fn reopening(&mut self) -> Reopening {
        let kinds = self.byte();
        Reopening {
            end: match kinds % 4 {
                0 => End::WithDeadline(2),
                1 => End::WithDeadline(0),
                _ => End::Dropped,
            },
            crash: match (kinds >> 2) % 5 {
                0 => None,
                1 => Some(Survival::Nothing),
                2 => Some(Survival::Everything),
                _ => Some(Survival::Sectors(self.byte() as u64)),
            },
            setup: self.setup(),
        }
    }

    fn turns(&mut self) -> Turns {
        let kinds = self.byte();
        match kinds % 8 {
            0..=3 => Turns::For(1 + (kinds >> 3)),
            4 => Turns::Until,
            _ => Turns::Never(1 + (kinds >> 5)),
        }
    }
}

impl Iterator for Steps<'_> {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        if self.0.is_empty() {
            return None;
        }
        Some(match self.byte() % 32 {
            0..=5 => Step::Transfers(self.transfers(IOAction::Read)),
            6..=13 => Step::Transfers(self.transfers(IOAction::Write)),
            14..=17 => self.plain(),
            18 => Step::Invalid(self.one_of(&INVALID)),
            19..=23 => Step::Run(self.turns()),
            24..=26 => Step::Inject(self.injection()),
            27 => Step::SetCapacity {
                bytes: (self.byte() * SECTOR / 8) as u64,
            },
            28 => Step::Heal,
            29 => Step::Acknowledge {
                handle: self.byte() % HANDLES,
            },
            _ => Step::Reopen(self.reopening()),
        })
    }
}

/// What a file is read and written in through this handle.
pub(crate) fn unit(handle: usize) -> usize {
    match handle {
        DIRECT => SECTOR,
        _ => 1,
    }
}
