//! What a command sees that is made of another which has not started.

mod world;

use luge_wasi::{Context, Errno, Folder, Function as F};
use world::{Command, PAGE, World};

/// A host by the bits of `kind`: with a folder, with room in `/tmp`, with a file for its response.
fn host(kind: u32) -> World {
    let mut host = world::world();
    host.folder = (kind & 1 != 0).then(|| Folder::new(5));
    host.scratch_bytes = if kind & 2 != 0 { 1 << 16 } else { 0 };
    host.response_file = (kind & 4 != 0).then(|| "answer".to_owned());
    host
}

fn command(context: Context<World>) -> Command {
    let memory = vec![0; PAGE as usize];
    Command { context, memory }
}

/// What two calls answer, and the bytes that they leave.
type Seen = [(Errno, Vec<u8>); 2];

/// What is there from the start: each descriptor's status, and the name under which it is mounted.
fn seen(mut command: Command) -> Vec<Seen> {
    (0..8_u32)
        .map(|number| {
            command.memory.fill(0);
            let status = command.call(F::FdFdstatGet, &[number.into(), 64]);
            let name = command.call(F::FdPrestatDirName, &[number.into(), 128, 8]);
            let (of_status, of_name) = (command.bytes_at(64, 24), command.bytes_at(128, 8));
            [(status, of_status.to_vec()), (name, of_name.to_vec())]
        })
        .collect()
}

#[test]
fn a_command_sees_what_its_own_host_has_whatever_the_one_before_had() {
    for (before, after) in (0..8).flat_map(|before| (0..8).map(move |after| (before, after))) {
        let mut context = Context::new(host(before));
        context.begin(host(after));
        let fresh = Context::new(host(after));
        assert_eq!(
            seen(command(context)),
            seen(command(fresh)),
            "{before} {after}"
        );
    }
}

#[test]
fn a_command_has_the_room_below_tmp_that_its_own_host_gives() {
    for (before, after) in [(1 << 20, 1 << 16), (1 << 16, 1 << 20)] {
        let with = |scratch_bytes| {
            let mut host = world::world();
            host.scratch_bytes = scratch_bytes;
            host
        };
        let mut context = Context::new(with(before));
        context.begin(with(after));
        let mut command = command(context);
        let opened = command.open(3, "file", world::CREATE, world::READ | world::WRITE);
        let file = opened.expect("there is room for an empty file");
        let written = command.call(F::FdAllocate, &[file.into(), 0, 1 << 18]);
        assert_eq!(written == Errno::Success, after == 1 << 20, "{written:?}");
    }
}
