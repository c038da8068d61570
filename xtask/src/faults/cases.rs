//! x
pub(crate) struct Case {
    pub(crate) number: u8,
}
pub(crate) const CASES: [Case; 1] = [Case { number: 1 }];
pub(crate) fn text() -> String {
    String::new()
}
pub(crate) fn summary() -> String {
    String::new()
}
pub(crate) fn automated_count() -> usize {
    0
}
