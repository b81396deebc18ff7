//! The file descriptors of the process: connections leave the last ones to the database and whatever else must go on.

#[cfg(unix)]
pub(super) use unix::{Descriptors, exhausted};

#[cfg(not(unix))]
pub(super) use elsewhere::{Descriptors, exhausted};

#[cfg(unix)]
mod unix {
    use std::{
        io,
        os::fd::{AsFd, AsRawFd, OwnedFd},
    };

    use rustix::{
        io::Errno,
        process::{Resource, getrlimit},
    };

    /// The descriptors that connections may take.
    ///
    /// The kernel gives the lowest number that is free. So nothing has to be counted: as long as connections keep no number among
    /// the last ones, those are free, or in the hands of those for whom they are kept.
    #[derive(Debug)]
    pub(in crate::listener) struct Descriptors {
        reserve: u64,
        /// Given up for a moment when not even one more is to be had.
        spare: Option<OwnedFd>,
    }

    impl Descriptors {
        pub(in crate::listener) fn new(reserve: u64, any: &impl AsFd) -> Self {
            let mut new = Self {
                reserve,
                spare: None,
            };
            new.take_spare(any);
            new
        }

        /// Whether too few descriptors would be left if this one were kept.
        pub(in crate::listener) fn too_few_beside(&self, descriptor: &impl AsRawFd) -> bool {
            let number = u64::try_from(descriptor.as_raw_fd()).unwrap_or(0);
            // Asked each time, because it can be changed from outside; it costs less than accepting.
            let limit = getrlimit(Resource::Nofile).current;
            limit.is_some_and(|limit| number + self.reserve >= limit)
        }

        /// Frees the spare descriptor; `false` if there is none.
        pub(in crate::listener) fn release_spare(&mut self) -> bool {
            self.spare.take().is_some()
        }

        /// Takes a spare descriptor, if there is none and one is to be had.
        pub(in crate::listener) fn take_spare(&mut self, any: &impl AsFd) {
            if self.spare.is_none() {
                self.spare = any.as_fd().try_clone_to_owned().ok();
            }
        }
    }

    /// Whether the process or the machine has no more descriptors to give.
    pub(in crate::listener) fn exhausted(error: &io::Error) -> bool {
        let number = error.raw_os_error();
        [Errno::MFILE, Errno::NFILE]
            .iter()
            .any(|exhausted| number == Some(exhausted.raw_os_error()))
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn the_last_numbers_are_left_to_others() {
            struct Numbered(i32);
            impl AsRawFd for Numbered {
                fn as_raw_fd(&self) -> i32 {
                    self.0
                }
            }
            let limit = getrlimit(Resource::Nofile).current;
            let limit = i32::try_from(limit.expect("descriptors are limited")).unwrap();
            let descriptors = Descriptors::new(16, &io::stderr());
            assert!(!descriptors.too_few_beside(&Numbered(limit - 17)));
            assert!(descriptors.too_few_beside(&Numbered(limit - 16)));
        }

        #[test]
        fn the_spare_is_there_again_after_it_was_given_up() {
            let mut descriptors = Descriptors::new(0, &io::stderr());
            assert!(descriptors.release_spare() && !descriptors.release_spare());
            descriptors.take_spare(&io::stderr());
            assert!(descriptors.release_spare());
        }
    }
}

#[cfg(not(unix))]
mod elsewhere {
    use std::io;

    /// Nothing to keep: there are no numbers, and no limit on them.
    #[derive(Debug)]
    pub(in crate::listener) struct Descriptors;

    impl Descriptors {
        pub(in crate::listener) fn new<T>(_reserve: u64, _any: &T) -> Self {
            Self
        }

        pub(in crate::listener) fn too_few_beside<T>(&self, _descriptor: &T) -> bool {
            false
        }

        pub(in crate::listener) fn release_spare(&mut self) -> bool {
            false
        }

        pub(in crate::listener) fn take_spare<T>(&mut self, _any: &T) {}
    }

    pub(in crate::listener) fn exhausted(_error: &io::Error) -> bool {
        false
    }
}
