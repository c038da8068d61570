//! The list of all cases.

use super::bench::Bench;
use super::probe::Probe;
use super::{
    alignment, allocation, bad_files, capacity, continuing, doorbell, holes, lifecycle, refusals,
    runs, transfers, waiting,
};
use crate::backend::Backend;

/// One thing that every backend must do.
#[derive(Debug)]
pub struct Case<B> {
    /// The sentence.
    pub name: &'static str,
    /// Panics where the backend does not do it.
    pub run: fn(&Bench<B>),
}

/// Every case, for backends of type `B`.
#[must_use]
pub fn cases<B: Backend<Probe> + 'static>() -> Vec<Case<B>> {
    let mut all = moving_bytes();
    all.extend(queueing());
    all.extend(refusing());
    all
}

macro_rules! table {
    ($($module:ident::$case:ident,)*) => {
        vec![$(Case { name: stringify!($case), run: $module::$case::<B> }),*]
    };
}

/// Bytes get to where they belong.
fn moving_bytes<B: Backend<Probe>>() -> Vec<Case<B>> {
    table![
        transfers::what_is_written_reads_back_at_every_depth,
        transfers::bytes_beside_the_buffer_and_the_range_stay,
        transfers::short_read_at_end_of_file_cuts_the_buffer,
        transfers::read_beyond_end_of_file_is_ok_and_empty,
        transfers::short_read_is_reported_not_retried,
        transfers::buffers_come_back_with_the_same_address,
        transfers::shared_bytes_are_written_in_place,
        transfers::syncs_and_nops_give_zero,
        transfers::every_one_of_ten_thousand_mixed_events_has_one_callback,
        runs::a_run_of_uneven_sizes_writes_and_reads_every_byte,
        runs::a_run_across_the_end_of_the_file_is_split_rightly,
        runs::runs_and_lone_events_share_a_batch,
        runs::the_longest_run_works,
        holes::a_run_with_holes_and_shared_reads_gives_each_its_own_bytes,
        runs::an_error_after_part_of_the_bytes_keeps_their_count,
        runs::an_error_within_a_run_reaches_only_the_events_that_failed,
        continuing::d1_a_continued_read_fills_exactly_the_rest,
        continuing::d1_a_continued_write_writes_exactly_the_rest,
        continuing::a_direct_transfer_continues_from_the_last_aligned_byte,
        continuing::a_completed_event_finishes_at_once,
        continuing::a_failed_event_starts_anew,
        continuing::a_read_at_the_end_goes_on_when_the_file_has_grown,
        continuing::the_events_of_a_short_run_go_on_one_by_one,
        allocation::allocating_grows_the_file,
        allocation::allocating_can_keep_the_size,
        allocation::a_punched_hole_reads_as_zero_and_takes_no_space,
        allocation::a_zeroed_range_reads_as_zero,
        allocation::d23_a_range_beyond_two_gib_gives_zero,
        allocation::allocating_in_a_read_only_file_is_ebadf,
    ]
}

/// The queue is as deep as it says, and sleeps as it is told.
fn queueing<B: Backend<Probe>>() -> Vec<Case<B>> {
    table![
        capacity::a_push_beyond_the_depth_gives_the_request_back,
        capacity::never_more_than_the_depth_is_in_flight,
        capacity::a_refused_request_counts_until_it_is_yielded,
        waiting::waiting_for_completions_with_nothing_in_flight_returns_at_once,
        waiting::never_waiting_still_gets_everything_done,
        waiting::waiting_for_some_brings_at_least_as_many,
        waiting::waiting_for_more_than_there_are_brings_all,
        waiting::done_is_appended_to_and_never_cleared,
        waiting::an_idle_wait_ends_at_its_deadline,
        waiting::a_deadline_that_has_passed_returns_at_once,
        waiting::a_completion_ends_a_wait_before_its_deadline,
        waiting::a_refused_request_ends_every_wait,
        doorbell::a_ring_before_the_sleep_is_not_lost,
        doorbell::a_ring_ends_the_sleep_that_is_going_on,
        doorbell::many_rings_are_one_wake,
        doorbell::no_ring_is_lost_in_a_race,
        doorbell::a_ring_loses_no_completion,
        doorbell::completions_leave_no_ring_behind,
        doorbell::a_doorbell_may_outlive_its_backend,
        lifecycle::an_idle_backend_ends_at_once,
        lifecycle::a_backend_dropped_with_work_inside_lets_go_of_everything,
        lifecycle::an_abandoned_backend_gives_everything_back,
        lifecycle::what_is_called_whole_and_not_taken_comes_back,
        lifecycle::a_whole_event_and_its_callback_are_taken_apart,
        lifecycle::what_is_pushed_unseen_is_carried_out_or_comes_back,
        lifecycle::memory_is_free_only_when_the_kernel_has_let_go,
        lifecycle::an_idle_backend_moves_between_threads,
        lifecycle::backends_side_by_side_do_not_disturb_each_other,
    ]
}

/// What cannot work fails by name, and alone.
fn refusing<B: Backend<Probe>>() -> Vec<Case<B>> {
    table![
        bad_files::a_number_that_is_no_open_file_is_ebadf,
        bad_files::bad_files_leave_their_neighbours_in_the_batch_alone,
        bad_files::a_run_on_a_bad_file_fails_in_every_event,
        bad_files::the_wrong_mode_is_ebadf,
        bad_files::a_directory_is_an_error_and_no_hang,
        bad_files::an_event_keeps_its_file_open,
        refusals::an_empty_buffer_is_refused,
        refusals::a_transfer_without_a_buffer_is_refused,
        refusals::offset_minus_one_is_refused_and_the_position_stays,
        refusals::a_negative_offset_is_refused,
        refusals::a_range_beyond_the_largest_offset_is_refused,
        refusals::a_read_into_shared_bytes_is_refused,
        refusals::an_empty_allocation_is_refused,
        refusals::refusals_leave_their_neighbours_alone,
        alignment::what_is_misaligned_is_named,
        alignment::a_misaligned_event_within_a_run_fails_alone,
        alignment::a_misaligned_event_leaves_its_neighbours_in_the_batch_alone,
    ]
}
