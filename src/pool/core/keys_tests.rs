//! How keys end and what is counted for them, as scripts of the same kind.

use std::time::Duration;

use super::script::{NO_LIMITS, limits, script};
use crate::close_reason::CloseReason;
use crate::pool::types::Settings;

#[test]
fn retiring_closes_what_was_opened_before_and_keeps_the_queue() {
    let text = "
        a get x1 => dial
        b get x1 => dial
        c get y1 => dial
        a opens 1
        b opens 2
        c opens 3
        c puts => kept
        d get x1 => wait
        retire => -3
        a puts => Retired -1
        settle 3
        settle 1
        woken => d
        d turn => dial
        d opens 4
        d puts => kept
        b renews => dial
        b opens 5
        b puts => kept";
    let stats = script(limits(2, 9), text).core.stats();
    assert_eq!((stats.idle, stats.closed(CloseReason::Retired)), (2, 2));
}

#[test]
fn a_dial_that_began_before_the_pool_was_retired_is_not_kept() {
    script(NO_LIMITS, "a get x1 => dial\nretire\na opens 1\na puts => Retired -1");
}

#[test]
fn retiring_a_key_leaves_the_others_and_its_own_successors() {
    let text = "
        a get x1 => dial
        b get x1 => dial
        c get x2 => dial
        d get x1 => dial
        a opens 1
        b opens 2
        c opens 3
        a puts => kept
        c puts => kept
        retire x1 => -1
        retire y1
        b puts => Retired -2
        d opens 4
        d puts => Retired -4
        settle 1
        settle 2
        settle 4
        c get x2 => conn 3
        a get x1 => dial
        a opens 5
        a puts => kept
        a get x1 => conn 5";
    let stats = script(NO_LIMITS, text).core.stats();
    assert_eq!((stats.open, stats.closed(CloseReason::Retired)), (2, 3));
}

#[test]
fn what_is_retired_counts_until_it_is_closed() {
    let text = "
        a get x1 => dial
        b get x1 => dial
        a opens 1
        b opens 2
        c get x1 => wait
        retire x1
        d get x1 => wait
        a puts => Retired -1
        woken
        settle 1
        woken => c
        c turn => dial
        c opens 3
        c puts => kept
        woken => d
        d turn => conn 3
        e get x1 => wait
        b drops
        e turn => dial";
    script(limits(2, 9), text);
}

#[test]
fn a_connection_handed_over_before_its_key_was_retired_is_used_once_more() {
    let text = "
        a get x1 => dial
        a opens 1
        b get x1 => wait
        a puts => kept
        retire x1
        b turn => conn 1
        b puts => Retired -1
        settle 1";
    script(limits(1, 9), text);
}

#[test]
fn closing_a_key_wakes_its_own_waiters_alone() {
    let text = "
        a get x1 => dial
        a opens 1
        b get x1 => wait
        c get x2 => wait
        d get x1 => wait
        e get x2 => wait
        close x1
        close z1
        woken => bd
        b turn => closed
        d turn => closed
        a puts => PoolClosed -1
        settle 1
        woken => c
        c turn => dial
        c fails
        woken => e
        e turn => dial
        e fails
        a get x1 => dial
        a opens 2
        a puts => kept
        retire x1 => -2
        settle 2";
    let script = script(limits(1, 9), text);
    assert!(script.core.is_blank() && !script.core.is_closed());
    let stats = script.core.stats();
    assert_eq!((stats.closed(CloseReason::PoolClosed), stats.closed(CloseReason::Retired)), (1, 1));
}

#[test]
fn a_key_that_is_closed_first_in_line_lets_the_total_go_to_others() {
    let text = "
        a get x1 => dial
        b get y1 => wait
        c get z1 => wait
        close y1
        woken => b
        b turn => closed
        a fails
        woken => c
        c turn => dial";
    script(limits(1, 1), text);
}

#[test]
fn a_key_counts_for_itself_while_it_is_pinned() {
    let text = "
        pin x1
        a get x1 => dial
        b get x2 => dial
        a opens 1
        b opens 2
        c get x1 => wait
        a puts => kept
        c turn => conn 1
        d get x1 => wait
        stats x1 => open 1 idle 0 waiting 1 created 1 reused 1
        stats x2 => open 1 idle 0 waiting 0 created 1 reused 0
        d cancels => cancelled
        c puts => kept
        stats x1 => open 1 idle 1 waiting 0 created 1 reused 1
        b drops
        stats x2 => open 0 idle 0 waiting 0 created 0 reused 0
        retire x1 => -1
        settle 1
        stats x1 => open 0 idle 0 waiting 0 created 1 reused 1
        pin x1
        unpin
        stats x1 => open 0 idle 0 waiting 0 created 1 reused 1
        unpin
        stats x1 => open 0 idle 0 waiting 0 created 0 reused 0";
    let script = script(limits(2, 9), text);
    assert!(script.core.is_blank());
    let stats = script.core.stats();
    assert_eq!((stats.created, stats.reused), (2, 1));
}

#[test]
fn whose_connections_one_waits_for() {
    let text = "
        a get x1 => dial
        a opens 1
        b get x2 => dial
        b opens 2
        c get y1 => dial
        w get x1 => wait
        w waits-for a => a
        w waits-for b => b
        w waits-for c => elsewhere
        w waits-for z
        pressure x1 a => 2 1 1
        pressure x1 c => 2 0 1
        a puts => kept
        w waits-for a => does not wait
        w turn => conn 1
        v get x1 => wait
        v waits-for a
        v waits-for w => a
        b drops
        v waits-for w => does not wait
        v turn => dial";
    // The abort of a unit is that of whoever opened it.
    script(limits(2, 9), text);
    let text = "
        a get x1 => dial
        b get x1 => wait
        c get x1 => wait
        b waits-for a => a alone 0
        c waits-for a => a alone 0
        a opens 1
        clock 3
        b waits-for a => a alone 3
        a puts => kept
        b turn => conn 1
        c waits-for a
        c waits-for b => a alone 0
        b renews => dial
        clock 9
        c waits-for b => a alone 6";
    script(limits(1, 9), text);
}

/// An endpoint below its own limit waits for the total limit, and so for any connection.
#[test]
fn whose_connections_one_waits_for_at_the_total_limit() {
    let text = "
        a get x1 => dial
        b get x1 => dial
        w get y1 => wait
        w waits-for a => a
        pressure y1 a => 2 1 1
        pressure z1 b => 2 1 0
        b fails
        w turn => dial
        v get z1 => wait
        touch w a => 1
        v waits-for a => a alone 0";
    script(limits(9, 2), text);
    // A connection that is not in use any more, and whose slot has another caller, keeps its endpoint full until it is
    // closed. Then its endpoint waits for the total limit.
    let text = "
        a get x1 => dial
        a opens 1
        b get x2 => dial
        b opens 2
        b puts => kept
        a get y1 => dial
        c get z1 => dial -2
        w get x1 => wait
        w waits-for c => elsewhere
        touch a c => 2
        w waits-for c => a
        settle 2
        w waits-for c => a alone 0";
    script(limits(2, 3), text);
}

/// The holder is the thread that read last. From the first read by another thread on, the time begins anew.
#[test]
fn a_read_by_another_thread_makes_it_the_holder() {
    let text = "
        a get x1 => dial
        a opens 1
        w get x1 => wait
        w waits-for a => a alone 0
        clock 4
        w waits-for a => a alone 4
        pressure x1 a => 1 1 1
        touch a r => 1
        w waits-for a
        pressure x1 a => 1 0 1
        pressure x1 r => 1 1 1
        clock 9
        touch a a => 1
        w waits-for a => a alone 0
        clock 14
        w waits-for a => a alone 5
        a puts => kept
        w turn => conn 1
        pressure x1 w => 1 1 0
        v get x1 => wait
        v waits-for a
        v waits-for w => a alone 0";
    script(limits(1, 9), text);
}

/// A connection has no holder after it is granted and before its caller wakes, and while it is closed.
#[test]
fn connections_on_their_way_are_held_by_nobody() {
    let text = "
        a get x1 => dial
        a opens 1
        b get x1 => wait
        w get x1 => wait
        a puts => kept
        w waits-for a
        w waits-for b
        b turn => conn 1
        w waits-for b => a alone 0
        retire
        b puts => Retired -1
        w waits-for b
        settle 1
        w turn => dial";
    script(limits(1, 9), text);
}

#[test]
fn what_expired_is_closed_at_once_when_somebody_looks() {
    let settings = Settings { idle_timeout: Some(Duration::from_secs(10)), ..NO_LIMITS };
    let text = "
        a get x1 => dial
        b get x1 => dial
        c get y1 => dial
        d get z1 => dial
        a opens 1
        b opens 2
        c opens 3
        d opens 4
        a puts 20 => kept
        clock 2
        b puts 5 => kept
        c puts 4 => kept
        clock 3
        d puts => kept
        expire
        clock 5
        expire => -2 -3
        clock 10
        expire => -1
        clock 13
        expire => -4
        expire";
    let stats = script(settings, text).core.stats();
    assert_eq!(stats.closed(CloseReason::IdleTimeout), 4);
}

#[test]
fn what_was_used_since_it_was_seen_stays() {
    let text = "
        a get x1 => dial
        b get x1 => dial
        c get y1 => dial
        d get z1 => dial
        a opens 1
        b opens 2
        c opens 3
        d opens 4
        a puts => kept
        b puts => kept
        c puts => kept
        d puts => kept
        look => abcd
        clock 1
        b get x1 => conn 2
        gone b
        b puts => kept
        gone b
        gone a => -1
        gone a
        d get z1 => conn 4
        d drops
        e get z1 => dial
        e opens 5
        e puts => kept
        gone d
        settle 1
        gone c => -3
        settle 3
        look => be
        gone e => -5";
    let stats = script(NO_LIMITS, text).core.stats();
    assert_eq!((stats.idle, stats.closed(CloseReason::PeerClosed)), (1, 3));
}

/// RW-42: in the child of a fork what the parent has opened is not kept, and what the child opens is.
#[test]
fn a_child_keeps_its_own_connections_alone() {
    let text = "
        a get x1 => dial
        b get x1 => dial
        c get y1 => dial
        a opens 1
        b opens 2
        c opens 3
        a puts => kept
        c puts => kept
        d get z1 => dial
        d leaves-the-parent => -1 -3
        settle 1
        settle 3
        d opens 4
        d puts => kept
        b puts => Retired -2
        settle 2
        d get z1 => conn 4
        e get x1 => dial
        e opens 5
        e puts => kept";
    let stats = script(NO_LIMITS, text).core.stats();
    assert_eq!((stats.closed(CloseReason::Retired), stats.idle), (3, 1));
}
