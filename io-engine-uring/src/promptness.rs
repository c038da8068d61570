//! Whether the kernel answers what is sent to it within the call, as it does from the page cache.
//!
//! To wait costs the kernel's preparations for it, also where nothing is left to wait for: a tenth of what a
//! lone NOP takes. Where answers are prompt, sending alone brings them. Where they are not, it is one system
//! call too many, so it is tried now and then only.

/// Learns from what sending alone has brought.
#[derive(Debug)]
pub(crate) struct Promptness {
    /// From 0 on, sending alone is worth while.
    confidence: i32,
}

const CONFIDENCE_MAX: i32 = 8;

/// What one vain call takes back: it costs as much as several prompt answers save.
const DISAPPOINTMENT: i32 = 4;

/// So many waits after it has turned out vain, it is tried again.
const REST: i32 = 512;

impl Promptness {
    pub(crate) fn new() -> Self {
        Self { confidence: 0 }
    }

    /// Whether to send without waiting, and look. To be asked before each wait that sends something.
    #[inline]
    pub(crate) fn is_likely(&mut self) -> bool {
        if self.confidence < 0 {
            self.confidence += 1;
            return false;
        }
        true
    }

    /// After sending alone: whether it has brought all that was waited for.
    #[inline]
    pub(crate) fn learn(&mut self, was_prompt: bool) {
        self.confidence = match was_prompt {
            true => (self.confidence + 1).min(CONFIDENCE_MAX),
            false if self.confidence >= DISAPPOINTMENT => self.confidence - DISAPPOINTMENT,
            false => -REST,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompt_answers_keep_it_going() {
        let mut promptness = Promptness::new();
        for _ in 0..1000 {
            assert!(promptness.is_likely());
            promptness.learn(true);
        }
    }

    #[test]
    fn a_vain_call_now_and_then_changes_nothing() {
        let mut promptness = Promptness::new();
        for call in 0..1000 {
            assert!(promptness.is_likely());
            promptness.learn(call == 0 || call % 8 != 0);
        }
    }

    #[test]
    fn where_answers_come_later_few_calls_are_in_vain() {
        let mut promptness = Promptness::new();
        let mut in_vain = 0;
        for _ in 0..100_000 {
            if promptness.is_likely() {
                promptness.learn(false);
                in_vain += 1;
            }
        }
        assert!((100..250).contains(&in_vain), "{in_vain}");
    }

    #[test]
    fn what_becomes_prompt_is_found_out() {
        let mut promptness = Promptness::new();
        promptness.learn(false);
        let waits = (0..10_000).take_while(|_| !promptness.is_likely()).count();
        assert!(waits <= REST.unsigned_abs() as usize, "{waits}");
        promptness.learn(true);
        assert!(promptness.is_likely());
    }
}
