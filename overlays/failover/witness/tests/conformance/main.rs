//! All kinds of register do the same: our service, an object on an S3 store, and a shared folder.
#![allow(clippy::unwrap_used)]

mod bench;
mod moto;
mod object;
mod service;
mod shared_folder;
mod suite;
mod wire;

use object::Object;
use service::Service;
use shared_folder::Shared;

macro_rules! of {
    ($kind:ident, $bench:expr, $($name:ident)*) => {
        mod $kind {
            $(#[test]
            fn $name() {
                if let Some(bench) = $bench {
                    crate::suite::$name(&bench);
                }
            })*
        }
    };
}

macro_rules! of_all {
    ($($name:ident)*) => {
        of!(of_the_service, Some(crate::Service::new()), $($name)*);
        of!(of_an_object, crate::Object::new(), $($name)*);
        of!(of_a_folder, Some(crate::Shared::new()), $($name)*);
    };
}

/// A folder has neither keys nor messages.
macro_rules! of_those_on_a_wire {
    ($($name:ident)*) => {
        of!(of_the_service_on_a_wire, Some(crate::Service::new()), $($name)*);
        of!(of_an_object_on_a_wire, crate::Object::new(), $($name)*);
    };
}

of_all! {
    a_new_one_decides_on_nobody
    a_swap_needs_the_tag_and_goes_forward
    a_lost_answer_is_seen_with_the_next
    one_wins_each_tag
    a_restart_forgets_nothing
    what_is_damaged_is_never_taken_for_new
    a_deadline_holds
    an_old_state_is_noticed_and_mended
}

of_those_on_a_wire! {
    a_stranger_is_refused
    a_repeated_question_does_nothing
    a_repeated_answer_is_not_believed
}
