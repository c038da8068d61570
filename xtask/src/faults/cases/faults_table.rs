//! The table itself: each case, and the tests beside the experiments of `faults`.

use super::Case;

const fn case(number: u8, fault: &'static str, tests: &'static [&'static str]) -> Case {
    Case {
        number,
        fault,
        tests,
        gap: None,
    }
}

impl Case {
    const fn but_not(self, gap: &'static str) -> Self {
        Self {
            gap: Some(gap),
            ..self
        }
    }
}

/// All of them, in their order.
pub(crate) const CASES: [Case; 68] = [
    case(
        1,
        "a sandbox forbids io_uring",
        &["without_io_uring_auto_takes_aio_and_says_why"],
    ),
    case(
        2,
        "io_uring_enter alone is forbidden",
        &[
            "without_io_uring_auto_takes_aio_and_says_why",
            "a_context_whose_ring_breaks_answers_every_event_and_ends",
            "a_context_goes_on_while_others_send_and_says_so_once",
        ],
    ),
    case(3, "sysctl kernel.io_uring_disabled", &[])
        .but_not("the value 2, which would take io_uring from everybody on the machine"),
    case(
        4,
        "AIO is forbidden too",
        &[
            "without_both_kernel_interfaces_auto_takes_threads_and_names_both_reasons",
            "a_sandbox_without_aio_is_named_at_the_start",
        ],
    ),
    case(
        5,
        "fs.aio-max-nr is used up",
        &["a_context_beyond_the_budget_names_the_sysctl_its_values_and_the_remedy"],
    ),
    case(
        6,
        "an absurd depth",
        &[
            "d6_a_depth_out_of_range_is_an_error_that_names_the_range",
            "a_depth_out_of_range_is_refused_before_the_kernel_sees_it",
        ],
    ),
    case(7, "RLIMIT_MEMLOCK is 0", &[]),
    case(
        8,
        "RLIMIT_NOFILE is used up",
        &["without_file_descriptors_nothing_starts_and_the_limit_is_named"],
    ),
    case(9, "mmap of a ring fails", &[]),
    case(
        10,
        "an old kernel lacks features",
        &["every_step_of_the_ladder_is_a_ring_on_this_kernel_or_refused_as_unknown"],
    )
    .but_not("a kernel without the feature bits: only its refusal of flags can be had here"),
    case(
        11,
        "no thread can be started",
        &["without_threads_a_context_is_refused_and_what_is_queued_is_answered"],
    ),
    case(
        12,
        "a number that is no open file",
        &[
            "a_number_that_is_no_open_file_is_ebadf",
            "bad_files_leave_their_neighbours_in_the_batch_alone",
        ],
    ),
    case(
        13,
        "a file closed before the kernel sees it",
        &[
            "an_event_keeps_its_file_open",
            "d7_an_arc_keeps_the_file_open_for_as_long_as_the_handle_lives",
        ],
    ),
    case(
        14,
        "a file closed after it was submitted",
        &["d7_an_event_keeps_its_file_open_until_its_callback_and_no_longer"],
    ),
    case(15, "the wrong mode", &["the_wrong_mode_is_ebadf"]),
    case(
        16,
        "a directory, a ring, an epoll",
        &["a_directory_is_an_error_and_no_hang"],
    )
    .but_not("a read of a ring, which waits like one of a pipe"),
    case(
        17,
        "a pipe, a socket, a terminal",
        &[
            "a_ring_ends_the_wait_for_an_event_that_does_not_come_and_the_event_stays_inside",
            "a_number_that_was_a_file_and_is_a_pipe_is_read_as_a_pipe",
        ],
    ),
    case(18, "a buffer of no bytes", &["an_empty_buffer_is_refused"]),
    case(
        19,
        "misaligned direct I/O",
        &[
            "what_is_misaligned_is_named",
            "a_misaligned_event_leaves_its_neighbours_in_the_batch_alone",
        ],
    ),
    case(20, "512 bytes on a device with 4 KiB sectors", &[]),
    case(21, "misaligned direct I/O behind the end", &[]),
    case(
        22,
        "offsets below 0, beyond the largest, and -1",
        &[
            "a_negative_offset_is_refused",
            "offset_minus_one_is_refused_and_the_position_stays",
            "a_range_beyond_the_largest_offset_is_refused",
        ],
    ),
    case(
        23,
        "a file open with O_APPEND",
        &["files_that_are_not_one_and_those_without_places_are_not_joined"],
    )
    .but_not("a resumed write, which is documented and appends"),
    case(
        24,
        "more than 2 GiB",
        &["d24_a_transfer_longer_than_the_kernel_moves_is_refused_without_touching_it"],
    ),
    case(
        25,
        "memory that is not there",
        &["memory_is_free_only_when_the_kernel_has_let_go"],
    )
    .but_not("pointers of the caller: safe code has none"),
    case(
        26,
        "an unknown operation or flag",
        &[
            "only_the_allocating_actions_are_not_supported_by_the_queue",
            "d4_whatever_the_errno_only_the_head_of_the_batch_fails",
        ],
    ),
    case(
        27,
        "allocations of nothing and of too much, a sync of what has none",
        &["an_empty_allocation_is_refused"],
    ),
    case(
        28,
        "a callback panics",
        &[
            "d19_a_panicking_callback_is_caught_and_counted_and_the_others_are_called",
            "d19_a_callback_that_panics_costs_no_other_event",
        ],
    ),
    case(
        29,
        "a callback blocks or submits into a full channel",
        &["d18_callbacks_that_submit_again_never_deadlock_with_the_loop"],
    ),
    case(
        30,
        "submitting after the end; ending twice or in a callback",
        &[
            "senders_that_race_with_shutdown_get_the_event_or_the_callback",
            "a_context_dropped_inside_its_own_callback_ends_on_its_own",
        ],
    ),
    case(
        31,
        "a part of a merged read without a callback",
        &["d3_an_event_without_a_callback_leaves_the_bytes_of_the_others_right"],
    ),
    case(
        32,
        "a short read in the middle of a file",
        &["short_transfers_of_any_length_are_resumed"],
    ),
    case(
        33,
        "a short write in the middle of a file",
        &["short_transfers_of_any_length_are_resumed"],
    ),
    case(
        34,
        "a read or write of no bytes",
        &[
            "moving_nothing_is_an_end_or_an_error_and_never_a_loop",
            "d21_a_write_of_no_bytes_is_an_error_and_is_not_repeated",
        ],
    ),
    case(
        35,
        "a read across the end",
        &[
            "a_run_across_the_end_of_the_file_is_split_rightly",
            "short_read_at_end_of_file_cuts_the_buffer",
        ],
    ),
    case(36, "a write across the end of a device", &[]),
    case(
        37,
        "a direct transfer that ends off its alignment",
        &["a_direct_transfer_continues_from_the_last_aligned_byte"],
    ),
    case(
        38,
        "EIO",
        &["whichever_request_fails_its_event_alone_ends_with_that_error"],
    ),
    case(
        39,
        "part of the bytes, then an error",
        &["an_error_after_part_of_the_bytes_keeps_their_count"],
    ),
    case(
        40,
        "ENOSPC",
        &["of_a_run_that_fills_its_device_only_what_has_no_room_fails"],
    ),
    case(
        41,
        "RLIMIT_FSIZE",
        &["a_write_beyond_the_limit_of_file_sizes_is_an_error_and_not_the_end"],
    ),
    case(
        42,
        "a sync fails, the next one does not",
        &[
            "a_sync_that_failed_is_not_made_good_by_the_next",
            "every_later_sync_fails_as_the_first_did_until_it_is_acknowledged",
        ],
    ),
    case(
        43,
        "a sync beside writes that are under way",
        &[
            "a_sync_saves_what_was_done_before_it_began",
            "nothing_passes_a_fence_of_its_file_and_other_files_do_not_notice",
        ],
    ),
    case(
        44,
        "EAGAIN as the answer to a request",
        &[
            "a_kernel_that_is_busy_for_ever_is_a_time_out",
            "a_disk_that_asks_for_ever_to_try_again_is_given_up",
        ],
    ),
    case(
        45,
        "EINTR and ECANCELED as the answer to a request",
        &[
            "being_interrupted_is_no_result",
            "a_request_that_is_cancelled_for_ever_is_cancelled",
            "what_the_engine_gets_over_no_callback_sees",
        ],
    ),
    case(
        46,
        "a slow device, answers in another order",
        &["late_answers_overtake_each_other"],
    ),
    case(
        47,
        "a merged request fails or is short in the middle",
        &[
            "d3_each_event_of_a_run_has_its_own_end_of_file_and_its_own_error",
            "a_run_of_writes_writes_its_own_bytes_whatever_the_kernel_answers",
        ],
    ),
    case(
        48,
        "I/O that hangs",
        &[
            "what_hangs_is_given_up_with_callbacks_on_the_loops_thread",
            "the_kernel_keeps_what_a_ring_gives_up",
        ],
    ),
    case(49, "a process killed while its I/O hangs", &[]),
    case(
        50,
        "more requests than depth",
        &[
            "a_push_beyond_the_depth_gives_the_request_back",
            "d17_no_more_than_depth_requests_are_in_flight_and_all_are_served",
        ],
    ),
    case(
        51,
        "a part of a batch is accepted, or nothing",
        &["d4_accepted_prefixes_and_zero_accepted_are_carried_on_without_sending_twice"],
    ),
    case(
        52,
        "io_submit says EAGAIN",
        &["d4_eagain_keeps_the_requests_while_the_kernel_has_others"],
    ),
    case(
        53,
        "io_submit fails for the head of the batch",
        &["d4_whatever_the_errno_only_the_head_of_the_batch_fails"],
    ),
    case(
        54,
        "io_uring_enter says EINTR, EBUSY, EAGAIN or ENOMEM",
        &[],
    ),
    case(
        55,
        "more completions than the queue for them holds",
        &["never_more_than_the_depth_is_in_flight"],
    )
    .but_not("the overflow itself: what is in flight is bounded by the queue, so it does not come"),
    case(
        56,
        "a storm of signals",
        &["d5_a_storm_of_signals_spoils_no_read"],
    ),
    case(57, "io_submit blocks", &[]),
    case(
        58,
        "the thread that submitted ends",
        &["a_loop_dropped_on_another_thread_still_calls_every_callback"],
    ),
    case(59, "a fork with a live engine", &[])
        .but_not("a child that goes on using the engine, which is not allowed"),
    case(60, "the descriptor of a ring is closed", &[]),
    case(
        61,
        "the end with work in flight",
        &[
            "shutdown_finishes_what_was_accepted",
            "d20_a_context_dropped_while_the_sender_lives_neither_hangs_nor_loses_an_event",
        ],
    ),
    case(
        62,
        "dropping without an end, in a callback, while a panic unwinds",
        &[
            "a_loop_and_a_context_in_thread_locals_end_with_their_thread",
            "d10_pending_events_are_sent_when_a_panic_unwinds_through_the_submitter",
        ],
    ),
    case(
        63,
        "a wait that ends with its time",
        &["an_idle_wait_ends_at_its_deadline"],
    ),
    case(
        64,
        "kill -9 while writing",
        &["every_acknowledged_record_is_recovered"],
    ),
    case(
        65,
        "too little memory",
        &["without_memory_each_event_travels_alone_in_order_and_the_next_batch_is_planned_again"],
    ),
    case(
        66,
        "overlapping requests in one batch",
        &[
            "a_batch_carried_out_as_planned_gives_the_bytes_that_it_gives_one_by_one",
            "what_overlaps_a_write_keeps_its_order_and_ends_the_runs",
        ],
    ),
    case(67, "a device shrinks", &[])
        .but_not("a device that is taken away: losetup -d waits until nobody uses it"),
    case(
        68,
        "several engines and threads on one file",
        &["backends_side_by_side_do_not_disturb_each_other"],
    ),
];
