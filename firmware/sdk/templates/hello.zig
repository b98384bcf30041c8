// The smallest executor: one line in the log, and done.
const mma = @import("mma");

export fn main() i32 {
    mma.log("hello from an executor");
    mma.result("hello") catch return 1;
    return 0;
}
