// Blinks a pin. Arguments: pin (0), how often (5), half a period in milliseconds (250).
// The task's resources must hold the pin: gpio:[0-0]
const mma = @import("mma");

export fn main() i32 {
    const pin = mma.argInt(0, 0);
    const times = mma.argInt(1, 5);
    const half: u32 = @intCast(mma.argInt(2, 250));

    mma.gpioMode(pin, .output) catch |err| {
        mma.print("pin {d} is not mine: {t}", .{ pin, err });
        return 1;
    };
    var n: i32 = 0;
    while (n < times) : (n += 1) {
        mma.gpioWrite(pin, true);
        mma.sleepMs(half);
        mma.gpioWrite(pin, false);
        mma.sleepMs(half);
    }
    mma.print("blinked {d} times", .{times});
    return 0;
}
