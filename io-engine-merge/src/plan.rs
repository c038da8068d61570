//! What is to be sent: which events of a batch travel together, and in which order.

/// Nothing: the end of a list, or no place in one.
pub(crate) const NONE: u32 = u32::MAX;

/// What the plan says of one event of the batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    /// If this event arrived before all others of its request: the first member of that.
    pub(crate) first: u32,
    /// The next member of its request.
    pub(crate) next: u32,
    /// If it shares the bytes of another one: the place of that among the members.
    pub(crate) leader: u32,
}

impl Link {
    pub(crate) const UNPLANNED: Self = Self {
        first: NONE,
        next: NONE,
        leader: NONE,
    };
}

/// The requests to be made of a batch, in the order in which to send them.
///
/// Every event of the batch is a member of exactly one request. Requests are sorted by which event
/// arrived first in each; two events that must not change places are in two requests, in the order in
/// which they arrived.
///
/// ```
/// use io_engine_merge::{Fact, FactKind, FileFacts, MergeLimits, Planner};
///
/// let write = |start| Fact { file: 3, kind: FactKind::Write, start, end: start + 4096 };
/// let batch = [write(8192), write(1 << 20), write(4096), write(0)];
/// let mut planner = Planner::new(MergeLimits::default());
/// let plan = planner.plan(&batch, |_file| FileFacts::UNKNOWN);
/// let order: Vec<Vec<usize>> = plan
///     .requests()
///     .map(|request| request.members().map(|member| member.event).collect())
///     .collect();
/// assert_eq!(order, [vec![3, 2, 0], vec![1]]);
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use = "it says what to send"]
pub struct Plan<'a> {
    /// One per event, or none at all if each travels alone.
    links: &'a [Link],
    events: usize,
}

impl<'a> Plan<'a> {
    pub(crate) fn new(links: &'a [Link], events: usize) -> Self {
        Self { links, events }
    }

    pub(crate) fn each_alone(events: usize) -> Self {
        Self { links: &[], events }
    }

    /// Whether nothing is joined: every event is a request of its own, in the order of arrival.
    #[must_use]
    pub fn joins_nothing(&self) -> bool {
        self.links.is_empty()
    }

    /// The requests, in the order in which to send them. A step costs no more than the events that
    /// it passes.
    pub fn requests(&self) -> impl Iterator<Item = PlannedRequest<'a>> + use<'a> {
        let links = self.links;
        (0..self.events).filter_map(move |arrival| {
            let first = match links.get(arrival) {
                Some(Link { first: NONE, .. }) => return None,
                Some(link) => link.first as usize,
                None => arrival,
            };
            Some(PlannedRequest { links, first })
        })
    }
}

/// One request of a [`Plan`].
#[derive(Clone, Copy, Debug)]
pub struct PlannedRequest<'a> {
    links: &'a [Link],
    first: usize,
}

/// One event of a [`PlannedRequest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its place in the batch.
    pub event: usize,
    /// If it is a read that is no part of the request itself: which member, counted from 0, covers
    /// its whole range. It gets its bytes by a copy of theirs.
    pub leader: Option<usize>,
}

impl PlannedRequest<'_> {
    /// Whether it is one event.
    #[inline]
    #[must_use]
    pub fn is_lone(&self) -> bool {
        self.link(self.first).next == NONE
    }

    /// The place in the batch of its first member, which is the only one of a lone request.
    #[inline]
    #[must_use]
    pub fn first(&self) -> usize {
        self.first
    }

    /// Its events: those that the kernel is asked for, sorted by where they begin in the file, then
    /// those that share the bytes of one of them. What lies between two is a hole to be read over.
    pub fn members(&self) -> impl Iterator<Item = Member> + use<'_> {
        let mut next = Some(self.first);
        std::iter::from_fn(move || {
            let event = next?;
            let link = self.link(event);
            next = (link.next != NONE).then_some(link.next as usize);
            let leader = (link.leader != NONE).then_some(link.leader as usize);
            Some(Member { event, leader })
        })
    }

    #[inline]
    fn link(&self, event: usize) -> Link {
        let link = self.links.get(event);
        link.copied().unwrap_or(Link::UNPLANNED)
    }
}
