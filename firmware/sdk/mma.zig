//! What an executor may ask of its target, for Zig: `const mma = @import("mma");` and compile with `mma run your.zig`.
//!
//!     export fn main() i32 {
//!         mma.print("hello", .{});
//!         return 0; // 0 is TASK_FINISHED, all else TASK_FAILED
//!     }
//!
//! It says the same as mma.h, which has the words on each function; the reference is docs/guest.md.
const std = @import("std");

/// Errors are negative results, with abi.h's numbers.
pub const Error = error{ Denied, Invalid, Fault, NoEntry, NoRoom, State, Digest, Busy, Io, Unsupported };

pub const Mode = enum(i32) { input = 0, output = 1, input_pullup = 2, input_pulldown = 3 };
pub const Edges = enum(i32) { rising = 1, falling = 2, both = 3 };

/// What a rule calls, with what happened.
pub const Handler = *const fn (value: i32) callconv(.c) void;

const Threshold = extern struct { sensor: [*]const u8, length: usize, above: i32, below: i32, period_us: u32 };

const host = struct {
    extern "mma" fn log(text: [*]const u8, length: usize) i32;
    extern "mma" fn result(data: [*]const u8, length: usize) i32;
    extern "mma" fn arg_count() i32;
    extern "mma" fn arg(index: i32, text: [*]u8, size: usize) i32;
    extern "mma" fn sleep_us(microseconds: u64) void;
    extern "mma" fn time_us() u64;
    extern "mma" fn yield() void;
    extern "mma" fn exit(status: i32) noreturn;
    extern "mma" fn sensor_read(name: [*]const u8, length: usize, value: *i32) i32;
    extern "mma" fn gpio_mode(pin: i32, mode: Mode) i32;
    extern "mma" fn gpio_write(pin: i32, level: i32) i32;
    extern "mma" fn gpio_read(pin: i32) i32;
    extern "mma" fn pwm(pin: i32, period_ns: u32, high_ns: u32) i32;
    extern "mma" fn on_edge(pin: i32, edges: Edges, handler: Handler) i32;
    extern "mma" fn on_timer(period_us: u64, handler: Handler) i32;
    extern "mma" fn on_threshold(threshold: *const Threshold, handler: Handler) i32;
    extern "mma" fn on_stop(handler: Handler) i32;
    extern "mma" fn on_message(buffer: [*]u8, size: usize, handler: Handler) i32;
    extern "mma" fn off(rule: i32) i32;
    extern "mma" fn wait() i64;
};

/// Zero and above is a value, below an error.
fn check(value: i32) Error!i32 {
    return switch (value) {
        -1 => error.Denied,
        -2 => error.Invalid,
        -3 => error.Fault,
        -4 => error.NoEntry,
        -5 => error.NoRoom,
        -6 => error.State,
        -7 => error.Digest,
        -8 => error.Busy,
        -9 => error.Io,
        -10 => error.Unsupported,
        else => value,
    };
}

// -- output

/// One line for the task's log.
pub fn log(text: []const u8) void {
    _ = host.log(text.ptr, text.len);
}

/// A line as std.fmt makes it; longer ones than 80 bytes are cut.
pub fn print(comptime format: []const u8, values: anytype) void {
    var line: [80]u8 = undefined;
    log(std.fmt.bufPrint(&line, format, values) catch &line);
}

/// Publish the task's result; the last call wins.
pub fn result(data: []const u8) Error!void {
    _ = try check(host.result(data.ptr, data.len));
}

// -- arguments

pub fn argCount() usize {
    return @intCast(host.arg_count());
}

/// An argument, cut to the buffer's size.
pub fn arg(index: usize, buffer: []u8) Error![]u8 {
    const length: usize = @intCast(try check(host.arg(@intCast(index), buffer.ptr, buffer.len)));
    return buffer[0..@min(length, buffer.len)];
}

/// An argument as a decimal number; `otherwise` if there is none or it is no number.
pub fn argInt(index: usize, otherwise: i32) i32 {
    var text: [12]u8 = undefined;
    return std.fmt.parseInt(i32, arg(index, &text) catch return otherwise, 10) catch otherwise;
}

// -- time

pub fn sleepUs(microseconds: u64) void {
    host.sleep_us(microseconds);
}

pub fn sleepMs(milliseconds: u32) void {
    host.sleep_us(@as(u64, milliseconds) * 1000);
}

/// Microseconds since the target started.
pub fn timeUs() u64 {
    return host.time_us();
}

pub fn yield() void {
    host.yield();
}

/// End here, as if main had returned `status`.
pub fn exit(status: i32) noreturn {
    host.exit(status);
}

// -- sensors and pins: only those that the task's resources hold, else error.Denied

/// In thousandths of the sensor's unit.
pub fn sensorRead(name: []const u8) Error!i32 {
    var value: i32 = 0;
    _ = try check(host.sensor_read(name.ptr, name.len, &value));
    return value;
}

pub fn gpioMode(pin: i32, mode: Mode) Error!void {
    _ = try check(host.gpio_mode(pin, mode));
}

pub fn gpioWrite(pin: i32, high: bool) void {
    _ = host.gpio_write(pin, @intFromBool(high));
}

pub fn gpioRead(pin: i32) Error!bool {
    return try check(host.gpio_read(pin)) != 0;
}

/// Pulses without end, high for `high_ns` of every `period_ns`; a period of 0 ends them.
pub fn pwm(pin: i32, period_ns: u32, high_ns: u32) Error!void {
    _ = try check(host.pwm(pin, period_ns, high_ns));
}

// -- rules: react on the device itself, link or no link. Each gives the rule's number, for off().

pub fn onEdge(pin: i32, edges: Edges, handler: Handler) Error!i32 {
    return check(host.on_edge(pin, edges, handler));
}

pub fn onTimer(period_us: u64, handler: Handler) Error!i32 {
    return check(host.on_timer(period_us, handler));
}

/// `handler` gets the reading when it rises past `above` or falls below `below`.
pub fn onThreshold(sensor: []const u8, above: i32, below: i32, period_us: u32, handler: Handler) Error!i32 {
    const threshold = Threshold{
        .sensor = sensor.ptr,
        .length = sensor.len,
        .above = above,
        .below = below,
        .period_us = period_us,
    };
    return check(host.on_threshold(&threshold, handler));
}

/// `handler` gets how many milliseconds are left, once somebody wants the task to end.
pub fn onStop(handler: Handler) Error!i32 {
    return check(host.on_stop(handler));
}

/// `handler` gets the length of a message of the framework, which is in `buffer` until it returns.
pub fn onMessage(buffer: []u8, handler: Handler) Error!i32 {
    return check(host.on_message(buffer.ptr, buffer.len, handler));
}

pub fn off(rule: i32) Error!void {
    _ = try check(host.off(rule));
}

/// Call handlers as their rules come true, until no rule is left. Gives 0, for main to return.
pub fn serve() i32 {
    while (true) {
        const event = host.wait();
        if (event == -1) return 0;
        const handler: Handler = @ptrFromInt(@as(usize, @as(u32, @truncate(@as(u64, @bitCast(event))))));
        handler(@intCast(event >> 32));
    }
}
