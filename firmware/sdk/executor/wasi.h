// WASI preview 1 (hal/aot/wasi.py), as far as a board without files has it, made of the calls of module `mma`.
//
// What is written to descriptors 1 and 2 becomes lines of the log. The kernel logs from linear memory alone; a line
// that came in pieces borrows the first bytes of it, which are put back at once.
#ifndef MMA_WASI_H
#define MMA_WASI_H

enum { MMA_WASI_LINE = 120, MMA_WASI_EVENT = 32, MMA_WASI_SUBSCRIPTION = 48 };
enum { WASI_OK = 0, WASI_EBADF = 8, WASI_EFAULT = 21, WASI_EINVAL = 28, WASI_ENOTSUP = 58, WASI_ESPIPE = 70 };
enum { WASI_CHARACTER_DEVICE = 2, WASI_RIGHT_READ = 1 << 1, WASI_RIGHT_WRITE = 1 << 6 };

static u8 mma_wasi_line[MMA_WASI_LINE];
static u32 mma_wasi_filled;

MMA_INLINE u32 mma_wasi_inside(u32 address, u64 count) {
    return address + count <= MMA_LIMIT;
}

static __attribute__((noinline, nodebug)) void mma_wasi_flush(void) {
    MMA_ENTER();
    u32 filled = mma_wasi_filled;
    if (!filled || !mma_wasi_inside(0, filled)) return;
    mma_wasi_filled = 0;
    for (u32 turn = 0; turn < 2; turn++) {  // borrow, and give back
        for (u32 i = 0; i < filled; i++) {
            u8 kept = mma_memory[i];
            mma_memory[i] = mma_wasi_line[i];
            mma_wasi_line[i] = kept;
        }
        if (turn == 0) mma_host_log(0, filled);
    }
}

__attribute__((noreturn)) MMA_INLINE void mma_wasi_proc_exit(u32 status) {
    mma_wasi_flush();
    mma_host_exit(status);
}

// Bytes of a stream. A line that begins and ends among them goes out as it lies.
MMA_INLINE void mma_wasi_stream(u32 from, u32 count) {
    u32 begin = from, end = from + count;
    for (u32 at = from; at < end; at++) {
        u8 one = mma_memory[at];
        if (one == '\n' && !mma_wasi_filled) {
            mma_host_log(begin, at - begin);
            begin = at + 1;
        } else if (one == '\n') {
            mma_wasi_flush();
            begin = at + 1;
        } else if (mma_wasi_filled) {
            if (mma_wasi_filled == MMA_WASI_LINE) mma_wasi_flush();
            mma_wasi_line[mma_wasi_filled++] = one;
            begin = at + 1;
        }
    }
    for (; begin < end; begin++) {
        if (mma_wasi_filled == MMA_WASI_LINE) mma_wasi_flush();
        mma_wasi_line[mma_wasi_filled++] = mma_memory[begin];
    }
}

MMA_INLINE u32 mma_wasi_fd_write(u32 descriptor, u32 parts, u32 count, u32 written) {
    if (descriptor != 1 && descriptor != 2) return WASI_EBADF;
    if (!mma_wasi_inside(parts, 8ull * count) || !mma_wasi_inside(written, 4)) return WASI_EFAULT;
    u32 total = 0;
    for (; count; count--, parts += 8) {
        u32 from = MMA_LOAD(u32, parts, 0), bytes = MMA_LOAD(u32, parts, 4);
        if (!mma_wasi_inside(from, bytes)) return WASI_EFAULT;
        mma_wasi_stream(from, bytes);
        total += bytes;
    }
    MMA_STORE(u32, written, 0, total);
    return WASI_OK;
}

// Nobody types.
MMA_INLINE u32 mma_wasi_fd_read(u32 descriptor, u32 parts, u32 count, u32 read) {
    if (descriptor != 0) return WASI_EBADF;
    if (!mma_wasi_inside(read, 4)) return WASI_EFAULT;
    MMA_STORE(u32, read, 0, 0);
    return WASI_OK;
}

MMA_INLINE u32 mma_wasi_fd_close(u32 descriptor) {
    return descriptor <= 2 ? WASI_OK : WASI_EBADF;
}

// A terminal, so that libraries write each line when it ends.
MMA_INLINE u32 mma_wasi_fd_fdstat_get(u32 descriptor, u32 to) {
    if (descriptor > 2) return WASI_EBADF;
    if (!mma_wasi_inside(to, 24)) return WASI_EFAULT;
    MMA_STORE(u64, to, 0, WASI_CHARACTER_DEVICE);
    MMA_STORE(u64, to, 8, descriptor ? WASI_RIGHT_WRITE : WASI_RIGHT_READ);
    MMA_STORE(u64, to, 16, 0);
    return WASI_OK;
}

MMA_INLINE u32 mma_wasi_fd_fdstat_set_flags(u32 descriptor, u32 flags) {
    return descriptor <= 2 ? WASI_OK : WASI_EBADF;
}

MMA_INLINE u32 mma_wasi_fd_seek(u32 descriptor, u64 offset, u32 whence, u32 to) {
    return descriptor <= 2 ? WASI_ESPIPE : WASI_EBADF;
}

// No folder is open.
MMA_INLINE u32 mma_wasi_fd_prestat_get(u32 descriptor, u32 to) {
    return WASI_EBADF;
}

MMA_INLINE u32 mma_wasi_fd_prestat_dir_name(u32 descriptor, u32 to, u32 size) {
    return WASI_EBADF;
}

MMA_INLINE u32 mma_wasi_args_sizes_get(u32 count, u32 bytes) {
    if (!mma_wasi_inside(count, 4) || !mma_wasi_inside(bytes, 4)) return WASI_EFAULT;
    u32 words = mma_host_arg_count(), size = sizeof "task";
    for (u32 i = 0; i < words; i++) size += mma_host_arg(i, 0, 0) + 1;
    MMA_STORE(u32, count, 0, words + 1);
    MMA_STORE(u32, bytes, 0, size);
    return WASI_OK;
}

MMA_INLINE u32 mma_wasi_args_get(u32 pointers, u32 to) {
    u32 words = mma_host_arg_count();
    if (!mma_wasi_inside(pointers, 4ull * (words + 1)) || !mma_wasi_inside(to, sizeof "task")) return WASI_EFAULT;
    MMA_STORE(u32, pointers, 0, to);
    for (u32 i = 0; i < sizeof "task"; i++) mma_memory[to++] = (u8) "task"[i];
    for (u32 i = 0; i < words; i++) {
        u32 length = mma_host_arg(i, 0, 0);
        if (!mma_wasi_inside(to, (u64)length + 1)) return WASI_EFAULT;
        MMA_STORE(u32, pointers, 4 * (i + 1), to);
        mma_host_arg(i, to, length);
        mma_memory[to + length] = 0;
        to += length + 1;
    }
    return WASI_OK;
}

MMA_INLINE u32 mma_wasi_environ_sizes_get(u32 count, u32 bytes) {
    if (!mma_wasi_inside(count, 4) || !mma_wasi_inside(bytes, 4)) return WASI_EFAULT;
    MMA_STORE(u32, count, 0, 0);
    MMA_STORE(u32, bytes, 0, 0);
    return WASI_OK;
}

MMA_INLINE u32 mma_wasi_environ_get(u32 pointers, u32 to) {
    return WASI_OK;
}

// Both clocks count from the board's start: it does not know what day it is.
MMA_INLINE u32 mma_wasi_clock_res_get(u32 clock, u32 to) {
    if (clock > 1) return WASI_EINVAL;
    if (!mma_wasi_inside(to, 8)) return WASI_EFAULT;
    MMA_STORE(u64, to, 0, 1000);
    return WASI_OK;
}

MMA_INLINE u32 mma_wasi_clock_time_get(u32 clock, u64 precision, u32 to) {
    if (clock > 1) return WASI_EINVAL;
    if (!mma_wasi_inside(to, 8)) return WASI_EFAULT;
    MMA_STORE(u64, to, 0, mma_host_time_us() * 1000);
    return WASI_OK;
}

MMA_INLINE u32 mma_wasi_sched_yield(void) {
    mma_host_yield();
    return WASI_OK;
}

// Spread for hash tables, from the time of the call: no secret (Marsaglia's xorshift).
MMA_INLINE u32 mma_wasi_random_get(u32 to, u32 count) {
    if (!mma_wasi_inside(to, count)) return WASI_EFAULT;
    u32 state = (u32)mma_host_time_us() * 0x9E3779B9u | 1;
    for (u32 i = 0; i < count; i++) {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        mma_memory[to + i] = (u8)(state >> 24);
    }
    return WASI_OK;
}

// Microseconds until a subscription comes true; descriptors cannot be waited for.
MMA_INLINE u64 mma_wasi_left(u32 at, u64 now) {
    if (MMA_LOAD(u8, at, 8)) return 0;
    u64 nanoseconds = MMA_LOAD(u64, at, 24), left = nanoseconds / 1000 + (nanoseconds % 1000 != 0);
    if (!(MMA_LOAD(u16, at, 40) & 1)) return left;
    return left > now ? left - now : 0;
}

// Sleeps until the first clock among the subscriptions.
MMA_INLINE u32 mma_wasi_poll_oneoff(u32 in, u32 out, u32 count, u32 events) {
    if (!count) return WASI_EINVAL;
    if (!mma_wasi_inside(in, (u64)MMA_WASI_SUBSCRIPTION * count)) return WASI_EFAULT;
    if (!mma_wasi_inside(out, (u64)MMA_WASI_EVENT * count) || !mma_wasi_inside(events, 4)) return WASI_EFAULT;
    u64 now = mma_host_time_us(), first = ~0ull;
    for (u32 i = 0, at = in; i < count; i++, at += MMA_WASI_SUBSCRIPTION) {
        u64 left = mma_wasi_left(at, now);
        if (left < first) first = left;
    }
    if (first) mma_host_sleep_us(first);
    u32 told = 0;
    for (u32 i = 0, at = in; i < count; i++, at += MMA_WASI_SUBSCRIPTION) {
        u8 kind = MMA_LOAD(u8, at, 8);
        if (!kind && mma_wasi_left(at, now) > first) continue;
        u32 to = out + told++ * MMA_WASI_EVENT;
        MMA_STORE(u64, to, 0, MMA_LOAD(u64, at, 0));
        MMA_STORE(u64, to, 8, (kind ? WASI_ENOTSUP : 0) | (u64)kind << 16);
        MMA_STORE(u64, to, 16, 0);
        MMA_STORE(u64, to, 24, 0);
    }
    MMA_STORE(u32, events, 0, told);
    return WASI_OK;
}

#endif
