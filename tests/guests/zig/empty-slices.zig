//! Empty slices of Zig's point outside of memory; to read, write or fill nothing there is a success.
const std = @import("std");

pub fn main() !void {
    const none: []u8 = try std.heap.page_allocator.alloc(u8, 0);
    // Head, body and tail in one call; the body is empty.
    const parts = [_]std.posix.iovec_const{
        .{ .base = "head ", .len = 5 },
        .{ .base = none.ptr, .len = none.len },
        .{ .base = "tail\n", .len = 5 },
    };
    const written = try std.posix.writev(1, &parts);
    const read = try std.posix.read(0, none);
    std.crypto.random.bytes(none);
    var line: [80]u8 = undefined;
    const text = try std.fmt.bufPrint(&line, "{d} {d} {x}\n", .{ written, read, @intFromPtr(none.ptr) });
    _ = try std.posix.write(1, text);
}
