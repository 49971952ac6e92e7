//! The core's decisions as scripts: what each caller does, and what comes of it.

use std::rc::Rc;
use std::time::Duration;

use super::script::{Bell, NO_LIMITS, Numbers, Opener, limits, script};
use super::{Checkout, Core, Grant, Turn};
use crate::close_reason::CloseReason;
use crate::pool::types::{Ending, Settings};
use crate::time::Stamp;

#[test]
fn the_newest_idle_connection_of_a_key_is_taken_first() {
    let text = "
        a get x1 => dial
        b get x1 => dial
        c get x2 => dial
        a opens 1
        b opens 2
        c opens 3
        a puts => kept
        b puts => kept
        c puts => kept
        a get x1 => conn 2
        b get x1 => conn 1
        d get x1 => dial
        c get x2 => conn 3";
    let stats = script(NO_LIMITS, text).core.stats();
    assert_eq!((stats.open, stats.idle, stats.in_use, stats.dialing), (4, 0, 3, 1));
    assert_eq!((stats.created, stats.reused, stats.handed_over), (3, 3, 0));
}

#[test]
fn waiters_are_served_in_order_and_connections_handed_to_them() {
    let text = "
        a get x1 => dial
        b get x1 => wait
        c get x1 => wait
        a opens 1
        a puts => kept
        d get x1 => wait
        woken => b
        c turn => wait
        b turn => conn 1
        b puts => kept
        c turn => conn 1
        c drops
        woken => cd
        d turn => dial
        d fails";
    let script = script(limits(1, 9), text);
    let stats = script.core.stats();
    assert!(script.core.is_blank());
    assert_eq!((stats.created, stats.reused, stats.handed_over, stats.dial_failures), (1, 2, 2, 1));
    assert_eq!(stats.closed(CloseReason::Failed), 1);
}

#[test]
fn another_key_of_the_endpoint_gets_the_place_once_the_connection_is_closed() {
    let text = "
        a get x1 => dial
        a opens 1
        b get x2 => wait
        c get x1 => wait
        a puts => EvictedForLimit >1
        d get x1 => wait
        b turn => wait
        settle 1
        woken => b
        b turn => dial
        b opens 2
        b puts => EvictedForLimit >2
        settle 2
        c turn => dial";
    script(limits(1, 9), text);
}

#[test]
fn the_place_goes_on_when_the_one_it_was_meant_for_has_left() {
    let text = "
        a get x1 => dial
        a opens 1
        b get x2 => wait
        c get y1 => wait
        a puts => EvictedForLimit >1
        b cancels => cancelled
        settle 1
        woken => bc
        c turn => dial";
    script(limits(1, 1), text);
}

#[test]
fn an_idle_connection_with_another_key_makes_room_within_its_endpoint() {
    let text = "
        a get x1 => dial
        b get x2 => dial
        a opens 1
        b opens 2
        a puts => kept
        b puts => kept
        c get x3 => dial =1
        d get x3 => dial =2
        e get x3 => wait
        settle 1
        settle 2";
    script(limits(2, 9), text);
}

#[test]
fn under_the_total_the_longest_idle_connection_of_all_makes_room() {
    let text = "
        a get x1 => dial
        b get y1 => dial
        a opens 1
        b opens 2
        a puts => kept
        b puts => kept
        c get z1 => dial -1
        a get x1 => wait
        b get x2 => wait
        c opens 3
        settle 1 => -2
        settle 2
        woken => a
        a turn => dial
        a fails
        woken => b
        b turn => dial";
    // Connection 1 counts for x until it is closed: x has room of its own only then, and what idles must go for it.
    script(limits(1, 2), text);
}

#[test]
fn a_total_without_own_limits_evicts_first_and_queues_then() {
    let text = "
        a get x1 => dial
        a opens 1
        a puts => kept
        b get y1 => dial -1
        c get z1 => wait
        d get y1 => wait
        settle 1
        b opens 2
        b puts => kept
        woken => d
        d turn => conn 2
        d puts => EvictedForLimit -2
        settle 2
        woken => c
        c turn => dial";
    script(Settings { total_limit: Some(1), ..NO_LIMITS }, text);
}

#[test]
fn who_waits_for_the_total_alone_is_served_by_age_whatever_the_endpoint() {
    let text = "
        a get x1 => dial
        b get y1 => wait
        c get x1 => wait
        d get z1 => wait
        a fails
        woken => b
        b turn => dial
        b fails
        woken => c
        c turn => dial
        c fails
        woken => d";
    script(limits(1, 1), text);
}

#[test]
fn sixteen_hand_overs_past_an_older_waiter_then_its_turn() {
    let settings = Settings { total_limit: Some(1), ..NO_LIMITS };
    let mut script = script(
        settings,
        "
        a get x1 => dial
        a opens 1
        b get x1 => wait
        z get y1 => wait
        a puts => kept
        b turn => conn 1",
    );
    // The hand-over to b was to an older one, and does not count.
    for _ in 0..8 {
        script.run("a get x1 => wait\nb puts => kept\na turn => conn 1");
        script.run("b get x1 => wait\na puts => kept\nb turn => conn 1");
    }
    let text = "
        a get x1 => wait
        b puts => EvictedForLimit -1
        settle 1
        a turn => wait
        z turn => dial
        z opens 2
        z puts => EvictedForLimit -2
        settle 2
        a turn => dial";
    script.run(text);
    assert_eq!(script.core.stats().handed_over, 17);
}

#[test]
fn hand_overs_to_older_waiters_have_no_end() {
    let mut script = script(Settings { total_limit: Some(1), ..NO_LIMITS }, "a get x1 => dial\na opens 1");
    let queue: Vec<char> = ('b'..='y').collect();
    for who in &queue {
        script.run(&format!("{who} get x1 => wait"));
    }
    script.run("z get y1 => wait");
    let mut holder = 'a';
    for who in queue {
        script.run(&format!("{holder} puts => kept\n{who} turn => conn 1"));
        holder = who;
    }
    script.run(&format!("{holder} puts => EvictedForLimit -1\nsettle 1\nz turn => dial"));
}

#[test]
fn hand_overs_are_counted_anew_once_the_queue_was_empty() {
    let settings = Settings { total_limit: Some(1), ..NO_LIMITS };
    let mut script = script(settings, "a get x1 => dial\na opens 1\nz get y1 => wait");
    for _ in 0..8 {
        script.run("b get x1 => wait\na puts => kept\nb turn => conn 1");
        script.run("a get x1 => wait\nb puts => kept\na turn => conn 1");
    }
    let text = "
        a puts => EvictedForLimit -1
        b get x1 => wait
        settle 1
        z turn => dial
        z opens 2
        z puts => EvictedForLimit -2
        z get y1 => wait
        settle 2
        b turn => dial
        b opens 3
        c get x1 => wait
        b puts => kept
        c turn => conn 3";
    script.run(text);
}

#[test]
fn expired_connections_are_closed_two_at_a_time() {
    let settings = Settings { idle_timeout: Some(Duration::from_secs(10)), ..NO_LIMITS };
    let text = "
        a get x1 => dial
        b get x1 => dial
        c get x1 => dial
        d get y1 => dial
        a opens 1
        b opens 2
        c opens 3
        d opens 4
        a puts => kept
        b puts => kept
        c puts => kept
        clock 5
        d puts => kept
        clock 10
        e get y1 => conn 4 -1 -2
        f get y1 => dial -3
        settle 3
        settle 1
        settle 2
        e puts => kept
        clock 20
        e get y1 => dial =4";
    let stats = script(settings, text).core.stats();
    assert_eq!(stats.closed(CloseReason::IdleTimeout), 4);
}

#[test]
fn a_connection_is_kept_until_the_first_of_its_ends() {
    let settings =
        Settings { idle_timeout: Some(Duration::from_secs(10)), max_age: Some(Duration::from_secs(15)), ..NO_LIMITS };
    for (text, reason) in [
        ("clock 9\n a get x1 => conn 1", None),
        ("clock 10\n a get x1 => dial =1", Some(CloseReason::IdleTimeout)),
        ("clock 9\n a get x1 => conn 1\n a puts => kept\n clock 14\n a get x1 => conn 1", None),
        ("clock 9\n a get x1 => conn 1\n a puts => kept\n clock 15\n a get x1 => dial =1", Some(CloseReason::MaxAge)),
        ("clock 9\n a get x1 => conn 1\n clock 15\n a puts => MaxAge -1", Some(CloseReason::MaxAge)),
        ("a get x1 => conn 1\n a puts 3 => kept\n clock 2\n a get x1 => conn 1", None),
        ("a get x1 => conn 1\n a puts 3 => kept\n clock 3\n a get x1 => dial =1", Some(CloseReason::IdleTimeout)),
        ("clock 3\n a get x1 => conn 1\n a puts 3 => IdleTimeout -1", Some(CloseReason::IdleTimeout)),
    ] {
        let mut script = script(settings, "a get x1 => dial\na opens 1\na puts => kept");
        let stats = script.run(text).core.stats();
        for other in [CloseReason::IdleTimeout, CloseReason::MaxAge] {
            assert_eq!(stats.closed(other), u64::from(Some(other) == reason), "{text}");
        }
    }
}

/// RW-03: the idle clock of a machine that has slept stands hours further on.
#[test]
fn a_connection_that_was_slept_over_is_not_kept() {
    let seconds = Duration::from_secs;
    let table = [
        ("idle_timeout", Settings { idle_timeout: Some(seconds(30)), ..NO_LIMITS }, "", CloseReason::IdleTimeout),
        ("max_age", Settings { max_age: Some(seconds(3600)), ..NO_LIMITS }, "", CloseReason::MaxAge),
        ("the server's word", NO_LIMITS, " 60", CloseReason::IdleTimeout),
    ];
    for (row, settings, word, reason) in table {
        let text = format!(
            "a get x1 => dial
            a opens 1
            a puts{word} => kept
            clock 28
            b get x1 => conn 1
            b puts{word} => kept
            clock 28800
            b get x1 => dial =1"
        );
        let stats = script(settings, &text).core.stats();
        assert_eq!((stats.closed(reason), stats.reused), (1, 1), "{row}");
    }
}

/// RW-20: the total of idle connections has a bound of its own, and the oldest makes room, whatever its key.
#[test]
fn idle_connections_in_all() {
    let text = "
        a get x1 => dial
        b get x2 => dial
        c get y1 => dial
        a opens 1
        b opens 2
        c opens 3
        a puts => kept
        b puts => kept
        c puts => kept -1
        settle 1
        d get x2 => conn 2
        e get y1 => conn 3
        d puts => kept
        e puts => kept
        f get z1 => dial
        f opens 4
        f puts => kept -2
        settle 2";
    let stats = script(Settings { max_idle: Some(2), ..NO_LIMITS }, text).core.stats();
    assert_eq!((stats.idle, stats.closed(CloseReason::EvictedForLimit)), (2, 2));
    let none = "
        a get x1 => dial
        a opens 1
        a puts => kept -1
        settle 1
        a get x1 => dial";
    script(Settings { max_idle: Some(0), ..NO_LIMITS }, none);
    // A handed-over connection is not idle.
    let handed = "
        a get x1 => dial
        a opens 1
        b get x1 => wait
        a puts => kept
        b turn => conn 1
        b puts => kept -1";
    script(Settings { max_idle: Some(0), ..limits(1, 1) }, handed);
}

/// RW-20: where descriptors are lacking the oldest idle connection goes first, and its place with it.
#[test]
fn a_descriptor_for_another() {
    let text = "
        no-descriptors =>
        a get x1 => dial
        b get y1 => dial
        a opens 1
        b opens 2
        a puts => kept
        b puts => kept
        c get z1 => dial -1
        settle 1
        no-descriptors => -2
        d get y1 => wait
        settle 2
        woken => d
        d turn => dial
        no-descriptors =>";
    script(limits(1, 2), text);
}

#[test]
fn a_time_that_comes_late_leaves_the_idle_list_in_order() {
    let settings = Settings { idle_timeout: Some(Duration::from_secs(10)), ..NO_LIMITS };
    let text = "
        a get x1 => dial
        b get x1 => dial
        a opens 1
        b opens 2
        clock 5
        a puts => kept
        clock 4
        b puts => kept
        clock 14
        c get x1 => conn 2
        clock 15
        d get y1 => dial -1";
    script(settings, text);
}

#[test]
fn no_more_idle_connections_are_kept_than_allowed() {
    let text = "
        a get x1 => dial
        b get x2 => dial
        c get y1 => dial
        a opens 1
        b opens 2
        c opens 3
        a puts => kept
        b puts => PoolFull -2
        c puts => kept
        settle 2";
    script(Settings { idle_limit: Some(1), ..NO_LIMITS }, text);
    script(Settings { idle_limit: Some(0), ..NO_LIMITS }, "a get x1 => dial\na opens 1\na puts => PoolFull -1");
}

#[test]
fn a_grant_that_came_before_the_cancel_is_the_answer() {
    for (end, outcome) in [("a puts => kept", "conn 1"), ("a drops", "dial")] {
        let mut script = script(limits(1, 9), "a get x1 => dial\na opens 1\nb get x1 => wait\nc get x1 => wait");
        script.run(&format!("{end}\nb cancels => {outcome}\nc cancels => cancelled\nwoken => bc"));
        assert_eq!(script.core.stats().waiting, 0);
    }
}

#[test]
fn an_interrupted_wait_is_over_for_its_thread_too() {
    let mut script = script(limits(1, 9), "a get x1 => dial\nb get x1 => wait\nc get x1 => wait");
    let oldest = script.core.oldest_ticket().expect("two wait");
    script.core.interrupt(oldest);
    script.core.interrupt(oldest);
    script.core.audit();
    script.run("pressure x1 c => 1 0 1\npressure x1 a => 1 1 1");
    script.run("woken => b\nb turn => cancelled\na fails\nwoken => c\nc turn => dial");
    assert!(matches!(script.core.turn(oldest, script.now, 0), Turn::Cancelled), "the ticket of one who left");
}

#[test]
fn closing_wakes_all_and_empties_the_pool() {
    let text = "
        a get x1 => dial
        b get y1 => dial
        c get z1 => dial
        a opens 1
        b opens 2
        c opens 3
        d get x1 => wait
        e get x1 => wait
        a puts => kept
        f get y1 => wait
        woken => d
        c puts => kept
        close => -3
        woken => ef
        e turn => closed
        f cancels => closed
        d turn => conn 1
        d puts => PoolClosed -1
        b puts => PoolClosed -2
        g get x1 => closed
        close
        settle 2
        settle 1
        settle 3";
    let script = script(limits(1, 9), text);
    assert!(script.core.is_closed() && script.core.is_blank());
    assert_eq!(script.core.stats().closed(CloseReason::PoolClosed), 3);
}

#[test]
fn a_dead_connection_is_replaced_by_the_next_idle_one() {
    let text = "
        a get x1 => dial
        b get x1 => dial
        c get y1 => dial
        a opens 1
        b opens 2
        a puts => kept
        b puts => kept
        b get x1 => conn 2
        b finds-dead => conn 1 suspect
        b finds-dead => dial
        b opens 3
        e get x1 => dial
        f get x1 => wait
        clock 1
        b puts => kept
        f turn => conn 3";
    let mut script = script(limits(2, 3), text);
    let stats = script.core.stats();
    assert_eq!((stats.open, stats.reused, stats.closed(CloseReason::PeerClosed)), (3, 1, 2));
    script.run("g get x1 => wait\nf finds-dead => dial\nwoken => f");
}

#[test]
fn a_replaced_connection_gives_its_place_to_who_is_held_back_by_the_total() {
    let text = "
        a get x1 => dial
        b get x1 => dial
        a opens 1
        b opens 2
        a puts => kept
        b puts => kept
        b get x1 => conn 2
        c get y1 => dial -1
        d get y1 => wait
        settle 1
        b finds-dead => dial
        b fails
        woken => d";
    script(Settings { total_limit: Some(2), ..NO_LIMITS }, text);
}

#[test]
fn what_sat_idle_as_long_as_a_dead_connection_is_suspect() {
    let text = "
        a get x1 => dial
        b get x2 => dial
        c get x1 => dial
        d get y1 => dial
        a opens 1
        b opens 2
        c opens 3
        d opens 4
        a puts => kept
        b puts => kept
        d puts => kept
        clock 1
        c puts => kept
        c get x1 => conn 3
        a get x1 => conn 1
        a renews => dial
        b get x2 => conn 2 suspect
        d get y1 => conn 4
        c puts => kept
        c get x1 => conn 3
        clock 2
        b puts => kept
        b get x2 => conn 2";
    script(NO_LIMITS, text);
}

#[test]
fn an_expired_connection_is_no_replacement() {
    let settings = Settings { idle_timeout: Some(Duration::from_secs(10)), ..NO_LIMITS };
    let text = "
        a get x1 => dial
        b get x1 => dial
        a opens 1
        b opens 2
        a puts => kept
        clock 5
        b puts => kept
        b get x1 => conn 2
        clock 10
        b finds-dead => dial
        c get y1 => dial -1";
    script(settings, text);
}

#[test]
fn one_comes_to_be_held_back_by_the_total_while_others_idle() {
    let text = "
        a get x1 => dial
        b get y1 => dial
        a opens 1
        b opens 2
        a puts => kept
        b puts => kept
        c get z1 => dial -1
        d get x1 => wait
        c opens 3
        settle 1 => -2
        d turn => wait
        settle 2
        d turn => dial";
    script(limits(1, 2), text);
}

#[test]
fn aborts_reach_whatever_a_caller_has_or_is_about_to_have() {
    let text = "
        a get x1 => dial
        b get x1 => dial
        c get x1 => wait
        b opens 2
        b puts => kept
        d get y1 => dial
        d opens 4
        d puts => kept
        e get y1 => conn 4
        f get z1 => dial
        f opens 6
        f puts => kept";
    let mut aborts: Vec<_> = script(limits(2, 9), text).core.aborts(None).iter().map(|opener| opener.0).collect();
    aborts.sort_unstable();
    // Connection 2, opened by b, is granted to c; what idles is not interrupted.
    assert_eq!(aborts, ['a', 'b', 'd']);
}

#[test]
fn endpoints_that_are_empty_are_forgotten() {
    let mut core = Core::<Numbers>::new(limits(1, 1));
    let now = Stamp::now();
    let mut footprint = 0;
    for number in 0..10_000u32 {
        let key = ((number % 251) as u8, (number % 7) as u8);
        let rung = Rc::default();
        let get = |core: &mut Core<Numbers>| {
            core.reuse_or_checkout(&key, now, 0, Opener::default, || Bell('a', Rc::clone(&rung))).0
        };
        let Checkout::Granted(Grant::Permit { unit }) = get(&mut core) else { panic!("the pool is empty") };
        let Checkout::Queued(ticket) = get(&mut core) else { panic!("the pool is full") };
        assert!(matches!(core.cancel(ticket, now, 0), Turn::Cancelled));
        assert!(core.discard(unit, Ending::Unused).is_none());
        assert!(core.is_blank());
        core.audit();
        if number == 500 {
            footprint = core.footprint();
        }
    }
    assert_eq!(core.footprint(), footprint);
}
