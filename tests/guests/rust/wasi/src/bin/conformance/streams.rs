//! The three streams: the body, the response, the log.

use crate::calls::{
    APPEND, Buffer, IS_DEVICE, NONBLOCK, SET, STDERR, STDIN, STDOUT, advise, allocate, answer, at,
    close, data_sync, file, of, pread, pwrite, read, read_directory, read_into, seek, set_flags,
    set_size, set_times, status, sync, tell, to_write, write, write_all_of,
};
use crate::errno::{BADF, FAULT, INVAL, NOTCAPABLE, NOTDIR, NOTSUP, SPIPE};
use crate::{hostile, raw, tests};

/// What every test is sent.
pub const BODY: &[u8] = b"0123456789";

tests![
    the_body_is_read_in_parts_to_its_end,
    the_body_fills_one_buffer_after_the_other,
    reading_into_no_buffer_takes_nothing,
    the_end_of_the_body_is_no_error,
    a_fault_takes_nothing_of_the_body,
    the_response_is_what_is_written => "exit 0", "one, two, three",
    a_list_is_written_in_its_order => "exit 0", "one, two, three",
    writing_nothing_writes_nothing => "exit 0", "",
    a_fault_writes_nothing => "exit 0", "",
    what_is_written_to_the_log_is_no_response => "exit 0", "",
    the_body_cannot_be_written,
    the_response_cannot_be_read,
    streams_cannot_be_sought_in,
    streams_are_no_files_and_no_directories,
    the_log_is_a_device_and_the_others_are_none,
    the_size_of_the_body_is_known,
    flags_can_be_set_where_they_mean_something,
    a_stream_can_be_closed,
    of_too_many_buffers_a_part_is_written,
];

fn the_body_is_read_in_parts_to_its_end() {
    for part in [&BODY[..3], &BODY[3..6], &BODY[6..9], &BODY[9..], b""] {
        assert_eq!(read(STDIN, 3).unwrap(), part);
    }
}

fn the_body_fills_one_buffer_after_the_other() {
    let (mut one, mut other) = ([0; 4], [0; 100]);
    let length = read_into(STDIN, &mut [&mut one, &mut [], &mut other]);
    assert_eq!(length, Ok(BODY.len()));
    assert_eq!(one, BODY[..4]);
    assert_eq!(other[..6], BODY[4..]);
    assert_eq!(other[6..], [0; 94]);
}

fn reading_into_no_buffer_takes_nothing() {
    assert_eq!(read_into(STDIN, &mut []), Ok(0));
    assert_eq!(read(STDIN, 0).unwrap(), b"");
    assert_eq!(read(STDIN, 100).unwrap(), BODY);
}

fn the_end_of_the_body_is_no_error() {
    read(STDIN, 100).unwrap();
    for _ in 0..3 {
        assert_eq!(read(STDIN, 100).unwrap(), b"");
    }
}

fn a_fault_takes_nothing_of_the_body() {
    let (mut bytes, mut done) = ([0u8; 4], 0usize);
    let list = [
        Buffer {
            pointer: at(&mut bytes),
            length: 4,
        },
        Buffer {
            pointer: hostile::end() - 1,
            length: 2,
        },
    ];
    // SAFETY: a call that fails writes nothing.
    let call = unsafe { raw::fd_read(STDIN, of(&list), 2, at(&mut done)) };
    assert_eq!(answer(call), Err(FAULT));
    assert_eq!(bytes, [0; 4]);
    assert_eq!(read(STDIN, 100).unwrap(), BODY);
}

fn the_response_is_what_is_written() {
    for part in ["one", ", ", "two, ", "three"] {
        assert_eq!(write(STDOUT, part.as_bytes()), Ok(part.len()));
    }
}

fn a_list_is_written_in_its_order() {
    let parts: [&[u8]; 4] = [b"one, ", b"two", b"", b", three"];
    assert_eq!(write_all_of(STDOUT, &parts), Ok(15));
}

fn writing_nothing_writes_nothing() {
    assert_eq!(write(STDOUT, b""), Ok(0));
    assert_eq!(write_all_of(STDOUT, &[]), Ok(0));
}

fn a_fault_writes_nothing() {
    let mut list = to_write(&[b"some text"]);
    list.push(Buffer {
        pointer: hostile::end(),
        length: 1,
    });
    let mut done = 0usize;
    // SAFETY: what is outside of memory is not read.
    let call = unsafe { raw::fd_write(STDOUT, of(&*list), list.len(), at(&mut done)) };
    assert_eq!(answer(call), Err(FAULT));
    let call = {
        // SAFETY: the answer cannot be written, so that nothing is.
        unsafe { raw::fd_write(STDOUT, of(&*list), 1, hostile::end() - 2) }
    };
    assert_eq!(answer(call), Err(FAULT));
}

fn what_is_written_to_the_log_is_no_response() {
    assert_eq!(write(STDERR, b"to the log\n"), Ok(11));
}

fn the_body_cannot_be_written() {
    assert_eq!(write(STDIN, b"x"), Err(NOTCAPABLE));
}

fn the_response_cannot_be_read() {
    assert_eq!(read(STDOUT, 1), Err(NOTCAPABLE));
    assert_eq!(read(STDERR, 1), Err(NOTCAPABLE));
}

fn streams_cannot_be_sought_in() {
    for stream in [STDIN, STDOUT, STDERR] {
        assert_eq!(seek(stream, 0, SET), Err(SPIPE));
        assert_eq!(tell(stream), Err(SPIPE));
        assert_eq!(pread(stream, 1, 0), Err(SPIPE));
        assert_eq!(pwrite(stream, b"x", 0), Err(SPIPE));
        assert_eq!(advise(stream, 0, 1, 0), Err(SPIPE));
        assert_eq!(allocate(stream, 0, 1), Err(SPIPE));
    }
}

fn streams_are_no_files_and_no_directories() {
    for stream in [STDIN, STDOUT, STDERR] {
        assert_eq!(sync(stream), Err(INVAL));
        assert_eq!(data_sync(stream), Err(INVAL));
        assert_eq!(set_size(stream, 0), Err(INVAL));
        assert_eq!(set_times(stream, 0, 0, 0), Err(NOTSUP));
        assert_eq!(read_directory(stream, &mut [0; 64], 0), Err(NOTDIR));
    }
}

fn the_log_is_a_device_and_the_others_are_none() {
    assert_eq!(status(STDERR).unwrap().kind, IS_DEVICE);
    for stream in [STDIN, STDOUT] {
        assert_eq!(status(stream).unwrap().kind, 0);
        assert_eq!(file(stream).unwrap().kind, 0);
    }
}

fn the_size_of_the_body_is_known() {
    assert_eq!(file(STDIN).unwrap().size, BODY.len() as u64);
    assert_eq!(file(STDOUT).unwrap().size, 0);
}

fn flags_can_be_set_where_they_mean_something() {
    assert_eq!(set_flags(STDOUT, NONBLOCK | APPEND), Ok(()));
    assert_eq!(status(STDOUT).unwrap().flags, 5);
    assert_eq!(set_flags(STDOUT, 2), Err(NOTSUP));
    assert_eq!(set_flags(STDOUT, 1 << 5), Err(NOTSUP));
}

fn a_stream_can_be_closed() {
    assert_eq!(close(STDIN), Ok(()));
    assert_eq!(read(STDIN, 1), Err(BADF));
    assert_eq!(close(STDIN), Err(BADF));
}

fn of_too_many_buffers_a_part_is_written() {
    let parts = vec![&b"x"[..]; 1025];
    assert_eq!(write_all_of(STDERR, &parts[..1024]), Ok(1024));
    assert_eq!(write_all_of(STDERR, &parts), Ok(1024));
}
