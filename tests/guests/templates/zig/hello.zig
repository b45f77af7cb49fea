//! A function: standard input is the body of the request, standard output that of the response, and the
//! arguments are the values of the query. What goes to standard error is in the log.
const std = @import("std");

pub fn main() !void {
    // Nothing is given back one by one: all memory goes with the request.
    var memory = std.heap.ArenaAllocator.init(std.heap.page_allocator);
    const arguments = try std.process.argsAlloc(memory.allocator());
    const name = if (arguments.len > 1) arguments[1] else "world";
    const body = try std.io.getStdIn().readToEndAlloc(memory.allocator(), 4 << 20);
    const answer = std.io.getStdOut().writer();
    try answer.print("Hello, {s}! You sent {d} bytes.\n", .{ name, body.len });
}
