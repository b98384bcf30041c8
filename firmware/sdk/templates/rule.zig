// Counts on the device itself, by a rule: no gateway is asked, and waiting costs no CPU.
// Arguments: how often (3), milliseconds between (100).
const std = @import("std");
const mma = @import("mma");

var count: i32 = 0;
var wanted: i32 = 0;

fn tick(periods: i32) callconv(.c) void {
    count += periods;
    mma.print("tick {d} of {d}", .{ count, wanted });
    if (count < wanted) return;
    var text: [12]u8 = undefined;
    mma.result(std.fmt.bufPrint(&text, "{d}", .{count}) catch &text) catch {};
    mma.exit(0);
}

export fn main() i32 {
    wanted = mma.argInt(0, 3);
    const period: u64 = @intCast(mma.argInt(1, 100));
    _ = mma.onTimer(period * 1000, tick) catch return 1;
    return mma.serve();
}
