// Numbers shared by the kernel, the executors' runtime and the gateway (hal reads this file).
// Add at the end, never renumber: devices in the field speak them.
#ifndef MMA_ABI_H
#define MMA_ABI_H

#define MMA_ABI_VERSION 1

// Errors. Negative, so that positive results stay values.
enum mma_error {
    MMA_OK = 0,
    MMA_ERR_DENIED = -1,    // the task's resources do not hold it
    MMA_ERR_INVALID = -2,   // an argument makes no sense
    MMA_ERR_FAULT = -3,     // a pointer leaves the caller's memory
    MMA_ERR_NOENT = -4,     // no such thing
    MMA_ERR_NOROOM = -5,    // not enough bytes: the reply says how many are missing
    MMA_ERR_STATE = -6,     // not in this state
    MMA_ERR_DIGEST = -7,    // the image is not the one that was announced
    MMA_ERR_BUSY = -8,      // try again
    MMA_ERR_IO = -9,        // the hardware did not answer
    MMA_ERR_UNSUPPORTED = -10,
};

// State of an executor.
enum mma_state {
    MMA_FREE = 0,
    MMA_CREATED = 1,
    MMA_LOADING = 2,
    MMA_READY = 3,
    MMA_RUNNING = 4,
    MMA_ENDED = 5,
};

// Why it ended.
enum mma_cause {
    MMA_CAUSE_NONE = 0,
    MMA_CAUSE_EXIT = 1,     // status is the guest's
    MMA_CAUSE_TRAP = 2,     // status is an mma_trap
    MMA_CAUSE_FAULT = 3,    // the hardware caught it; status is the CPU's fault status
    MMA_CAUSE_KILLED = 4,
};

// WASM traps (WebAssembly core specification, section 4.4).
enum mma_trap {
    MMA_TRAP_UNREACHABLE = 1,
    MMA_TRAP_MEMORY = 2,        // out of bounds memory access
    MMA_TRAP_DIVIDE = 3,        // integer divide by zero
    MMA_TRAP_OVERFLOW = 4,      // integer overflow
    MMA_TRAP_CONVERSION = 5,    // invalid conversion to integer
    MMA_TRAP_TABLE = 6,         // undefined element, out of bounds table access
    MMA_TRAP_NULL = 7,          // uninitialized element
    MMA_TRAP_SIGNATURE = 8,     // indirect call type mismatch
    MMA_TRAP_STACK = 9,         // call stack exhausted
    MMA_TRAP_BUDGET = 10,       // memory that the module declares, past the task's budget
};

// Why the board started.
enum mma_reset {
    MMA_RESET_POWER = 0,
    MMA_RESET_PIN = 1,
    MMA_RESET_SOFTWARE = 2,
    MMA_RESET_WATCHDOG = 3,
    MMA_RESET_CRASH = 4,        // a kernel fault; the crash record tells
    MMA_RESET_BROWNOUT = 5,
};

// Host calls: `svc #n` (Arm), n in a7 and `ecall` (RISC-V). Arguments in the registers of the C ABI,
// result in the first of them. Pointers are offsets into linear memory: the kernel adds its base and
// checks both ends. 64-bit values are the C ABI's register pairs.
enum mma_call {
    MMA_CALL_EXIT = 0,          // (i32 status), does not return
    MMA_CALL_YIELD = 1,         // ()
    MMA_CALL_SLEEP = 2,         // (u64 microseconds)
    MMA_CALL_TIME = 3,          // () -> u64 microseconds since boot
    MMA_CALL_LOG = 4,           // (ptr, len) -> error; a newline is added
    MMA_CALL_RESULT = 5,        // (ptr, len) -> error; the last call wins
    MMA_CALL_SENSOR_READ = 6,   // (name ptr, name len, ptr to i32) -> error; milli-units
    MMA_CALL_GPIO_MODE = 7,     // (pin, enum mma_gpio_mode) -> error
    MMA_CALL_GPIO_WRITE = 8,    // (pin, level) -> error
    MMA_CALL_GPIO_READ = 9,     // (pin) -> level or error
    MMA_CALL_MEMORY_SIZE = 10,  // (bytes) -> error; linear memory grew: pointers are checked against it
    MMA_CALL_ON_EDGE = 11,      // (pin, enum mma_edge, handler) -> rule or error
    MMA_CALL_ON_THRESHOLD = 12, // (ptr to struct mma_threshold, handler) -> rule or error
    MMA_CALL_ON_TIMER = 13,     // (u64 microseconds, handler) -> rule or error
    MMA_CALL_OFF = 14,          // (rule) -> error
    MMA_CALL_WAIT = 15,         // () -> u64: handler, value << 32; all ones if no rule can come true
    MMA_CALL_PWM = 16,          // (pin, period ns, high ns) -> error
    MMA_CALL_ON_STOP = 17,      // (handler) -> rule or error
    MMA_CALL_ON_MESSAGE = 18,   // (ptr, len, handler) -> rule or error
    MMA_CALL_TRAP = 0x80,       // + enum mma_trap, does not return
};

enum mma_gpio_mode {
    MMA_GPIO_INPUT = 0,
    MMA_GPIO_OUTPUT = 1,
    MMA_GPIO_INPUT_PULLUP = 2,
    MMA_GPIO_INPUT_PULLDOWN = 3,
};

enum mma_edge {
    MMA_EDGE_RISING = 1,
    MMA_EDGE_FALLING = 2,
    MMA_EDGE_BOTH = 3,
};

// What the kernel does for an executor while that waits: listed by GET /x/N/rules.
enum mma_rule_kind {
    MMA_RULE_NONE = 0,
    MMA_RULE_EDGE = 1,
    MMA_RULE_THRESHOLD = 2,
    MMA_RULE_TIMER = 3,
    MMA_RULE_PWM = 4,
    MMA_RULE_STOP = 5,
    MMA_RULE_MESSAGE = 6,
};

// Bytes that a rule takes of the executor's code part.
#define MMA_RULE_BYTES 40
// The shortest sampling period of a threshold, and the shortest period of a PWM that the kernel makes
// because no timer reaches the pin, in microseconds.
#define MMA_RULE_LEAST 1000

#endif
