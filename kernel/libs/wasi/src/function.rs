//! The table of functions: names and types.

/// The type of one parameter. Every pointer, length, descriptor and flag is an [`Parameter::I32`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parameter {
    /// A 32-bit integer.
    I32,
    /// A 64-bit integer.
    I64,
}

macro_rules! functions {
    ($($variant:ident $name:literal ($($parameter:ident)*);)*) => {
        /// A function of preview 1. All return an `i32` errno but [`Function::ProcExit`], which
        /// returns nothing because it does not return.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Function {
            $(#[doc = concat!("`", $name, "`")] $variant,)*
        }

        impl Function {
            /// All of them, in the order of the specification.
            pub const ALL: [Self; 46] = [$(Self::$variant,)*];

            /// The name under which it is imported.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The types of its parameters, in order.
            #[must_use]
            pub const fn parameters(self) -> &'static [Parameter] {
                match self { $(Self::$variant => &[$(Parameter::$parameter,)*],)* }
            }
        }
    };
}

functions! {
    ArgsGet "args_get" (I32 I32);
    ArgsSizesGet "args_sizes_get" (I32 I32);
    EnvironGet "environ_get" (I32 I32);
    EnvironSizesGet "environ_sizes_get" (I32 I32);
    ClockResGet "clock_res_get" (I32 I32);
    ClockTimeGet "clock_time_get" (I32 I64 I32);
    FdAdvise "fd_advise" (I32 I64 I64 I32);
    FdAllocate "fd_allocate" (I32 I64 I64);
    FdClose "fd_close" (I32);
    FdDatasync "fd_datasync" (I32);
    FdFdstatGet "fd_fdstat_get" (I32 I32);
    FdFdstatSetFlags "fd_fdstat_set_flags" (I32 I32);
    FdFdstatSetRights "fd_fdstat_set_rights" (I32 I64 I64);
    FdFilestatGet "fd_filestat_get" (I32 I32);
    FdFilestatSetSize "fd_filestat_set_size" (I32 I64);
    FdFilestatSetTimes "fd_filestat_set_times" (I32 I64 I64 I32);
    FdPread "fd_pread" (I32 I32 I32 I64 I32);
    FdPrestatGet "fd_prestat_get" (I32 I32);
    FdPrestatDirName "fd_prestat_dir_name" (I32 I32 I32);
    FdPwrite "fd_pwrite" (I32 I32 I32 I64 I32);
    FdRead "fd_read" (I32 I32 I32 I32);
    FdReaddir "fd_readdir" (I32 I32 I32 I64 I32);
    FdRenumber "fd_renumber" (I32 I32);
    FdSeek "fd_seek" (I32 I64 I32 I32);
    FdSync "fd_sync" (I32);
    FdTell "fd_tell" (I32 I32);
    FdWrite "fd_write" (I32 I32 I32 I32);
    PathCreateDirectory "path_create_directory" (I32 I32 I32);
    PathFilestatGet "path_filestat_get" (I32 I32 I32 I32 I32);
    PathFilestatSetTimes "path_filestat_set_times" (I32 I32 I32 I32 I64 I64 I32);
    PathLink "path_link" (I32 I32 I32 I32 I32 I32 I32);
    PathOpen "path_open" (I32 I32 I32 I32 I32 I64 I64 I32 I32);
    PathReadlink "path_readlink" (I32 I32 I32 I32 I32 I32);
    PathRemoveDirectory "path_remove_directory" (I32 I32 I32);
    PathRename "path_rename" (I32 I32 I32 I32 I32 I32);
    PathSymlink "path_symlink" (I32 I32 I32 I32 I32);
    PathUnlinkFile "path_unlink_file" (I32 I32 I32);
    PollOneoff "poll_oneoff" (I32 I32 I32 I32);
    ProcExit "proc_exit" (I32);
    ProcRaise "proc_raise" (I32);
    SchedYield "sched_yield" ();
    RandomGet "random_get" (I32 I32);
    SockAccept "sock_accept" (I32 I32 I32);
    SockRecv "sock_recv" (I32 I32 I32 I32 I32 I32);
    SockSend "sock_send" (I32 I32 I32 I32 I32);
    SockShutdown "sock_shutdown" (I32 I32);
}

impl Function {
    /// The function of that name, if there is one.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|function| function.name() == name)
    }

    /// Whether it returns an errno; [`Self::ProcExit`] returns nothing.
    #[must_use]
    pub const fn returns_errno(self) -> bool {
        !matches!(self, Self::ProcExit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_is_found_by_its_name() {
        for function in Function::ALL {
            assert_eq!(Function::by_name(function.name()), Some(function));
        }
        assert_eq!(Function::by_name("sock_connect"), None);
    }

    #[test]
    fn only_the_exit_returns_nothing() {
        let silent = Function::ALL.into_iter().filter(|f| !f.returns_errno());
        assert!(silent.eq([Function::ProcExit]));
    }
}
