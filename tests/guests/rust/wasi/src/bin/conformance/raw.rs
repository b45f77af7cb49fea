//! The functions of WASI preview 1 as a module imports them. Every pointer is a number here, so that tests can
//! hand over what no program would.

#[link(wasm_import_module = "wasi_snapshot_preview1")]
unsafe extern "C" {
    pub fn args_get(pointers: usize, text: usize) -> u32;
    pub fn args_sizes_get(count: usize, bytes: usize) -> u32;
    pub fn environ_get(pointers: usize, text: usize) -> u32;
    pub fn environ_sizes_get(count: usize, bytes: usize) -> u32;
    pub fn clock_res_get(clock: u32, resolution: usize) -> u32;
    pub fn clock_time_get(clock: u32, precision: u64, time: usize) -> u32;
    pub fn fd_advise(fd: u32, offset: u64, length: u64, advice: u32) -> u32;
    pub fn fd_allocate(fd: u32, offset: u64, length: u64) -> u32;
    pub fn fd_close(fd: u32) -> u32;
    pub fn fd_datasync(fd: u32) -> u32;
    pub fn fd_fdstat_get(fd: u32, status: usize) -> u32;
    pub fn fd_fdstat_set_flags(fd: u32, flags: u32) -> u32;
    pub fn fd_fdstat_set_rights(fd: u32, base: u64, inheriting: u64) -> u32;
    pub fn fd_filestat_get(fd: u32, status: usize) -> u32;
    pub fn fd_filestat_set_size(fd: u32, size: u64) -> u32;
    pub fn fd_filestat_set_times(fd: u32, accessed: u64, modified: u64, flags: u32) -> u32;
    pub fn fd_pread(fd: u32, list: usize, count: usize, offset: u64, done: usize) -> u32;
    pub fn fd_prestat_get(fd: u32, status: usize) -> u32;
    pub fn fd_prestat_dir_name(fd: u32, name: usize, length: usize) -> u32;
    pub fn fd_pwrite(fd: u32, list: usize, count: usize, offset: u64, done: usize) -> u32;
    pub fn fd_read(fd: u32, list: usize, count: usize, done: usize) -> u32;
    pub fn fd_readdir(fd: u32, buffer: usize, length: usize, cookie: u64, used: usize) -> u32;
    pub fn fd_renumber(from: u32, to: u32) -> u32;
    pub fn fd_seek(fd: u32, offset: i64, whence: u32, position: usize) -> u32;
    pub fn fd_sync(fd: u32) -> u32;
    pub fn fd_tell(fd: u32, position: usize) -> u32;
    pub fn fd_write(fd: u32, list: usize, count: usize, done: usize) -> u32;
    pub fn path_create_directory(fd: u32, path: usize, length: usize) -> u32;
    pub fn path_filestat_get(
        fd: u32,
        lookup: u32,
        path: usize,
        length: usize,
        status: usize,
    ) -> u32;
    pub fn path_filestat_set_times(
        fd: u32,
        lookup: u32,
        path: usize,
        length: usize,
        accessed: u64,
        modified: u64,
        flags: u32,
    ) -> u32;
    pub fn path_link(
        from: u32,
        lookup: u32,
        path: usize,
        length: usize,
        to: u32,
        new: usize,
        new_length: usize,
    ) -> u32;
    pub fn path_open(
        fd: u32,
        lookup: u32,
        path: usize,
        length: usize,
        how: u32,
        rights: u64,
        inheriting: u64,
        flags: u32,
        opened: usize,
    ) -> u32;
    pub fn path_readlink(
        fd: u32,
        path: usize,
        length: usize,
        buffer: usize,
        size: usize,
        used: usize,
    ) -> u32;
    pub fn path_remove_directory(fd: u32, path: usize, length: usize) -> u32;
    pub fn path_rename(
        from: u32,
        path: usize,
        length: usize,
        to: u32,
        new: usize,
        new_length: usize,
    ) -> u32;
    pub fn path_symlink(
        target: usize,
        target_length: usize,
        fd: u32,
        path: usize,
        length: usize,
    ) -> u32;
    pub fn path_unlink_file(fd: u32, path: usize, length: usize) -> u32;
    pub fn poll_oneoff(wanted: usize, events: usize, count: usize, happened: usize) -> u32;
    pub fn proc_exit(code: u32) -> !;
    pub fn proc_raise(signal: u32) -> u32;
    pub fn random_get(buffer: usize, length: usize) -> u32;
    pub fn sched_yield() -> u32;
    pub fn sock_accept(fd: u32, flags: u32, accepted: usize) -> u32;
    pub fn sock_recv(
        fd: u32,
        list: usize,
        count: usize,
        flags: u32,
        done: usize,
        out_flags: usize,
    ) -> u32;
    pub fn sock_send(fd: u32, list: usize, count: usize, flags: u32, done: usize) -> u32;
    pub fn sock_shutdown(fd: u32, how: u32) -> u32;
}
