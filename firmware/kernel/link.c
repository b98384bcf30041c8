#include "kernel/link.h"

#include "arch/arch.h"
#include "chips/chip.h"
#include "kernel/bytes.h"
#include "kernel/server.h"
#include "kernel/slip.h"

struct mma_link_counts mma_link_counts;

static uint8_t ring[MMA_RECEIVE];
static volatile uint16_t ring_in, ring_out; // count on; masked where used

uint8_t mma_link_buffer[MMA_ANSWER + MMA_BLOCK + 2];
static struct mma_slip_in incoming = {.frame = mma_link_buffer, .room = sizeof mma_link_buffer};

static struct {
    const uint8_t *data;
    uint16_t length;
} outbox[MMA_FRAMES];
static volatile uint8_t waiting; // bit N: outbox N is to be sent
static volatile uint8_t sending; // bit N: outbox N is being sent
static struct mma_slip_out outgoing;

void mma_link_receive(uint8_t byte) {
    uint16_t used = (uint16_t)(ring_in - ring_out);
    if (used == MMA_RECEIVE) {
        mma_link_counts.lost_bytes++;
        return;
    }
    ring[ring_in & (MMA_RECEIVE - 1)] = byte;
    ring_in++;
    // An executor that runs is left alone until a frame is complete, or the ring half full.
    if (byte == MMA_SLIP_END || used >= MMA_RECEIVE / 2) {
        mma_arch_wake();
    }
}

static volatile bool left; // bytes were left in the UART

bool mma_link_full(void) {
    bool full = (uint16_t)(ring_in - ring_out) == MMA_RECEIVE;
    left |= full;
    return full;
}

__attribute__((weak)) void mma_chip_uart_receive(void) {}

void mma_link_lost(void) { mma_link_counts.lost_bytes++; }

int mma_link_next(void) {
    for (;;) {
        if (sending) {
            int byte = mma_slip_next(&outgoing);
            if (byte >= 0) {
                return byte;
            }
            sending = 0;
            mma_link_counts.frames_out++;
            mma_arch_wake(); // somebody may wait for its buffer
        }
        if (!waiting) {
            return -1;
        }
        for (uint32_t i = 0; i < MMA_FRAMES; i++) {
            if (waiting >> i & 1) {
                waiting &= (uint8_t)~(1u << i);
                sending = (uint8_t)(1u << i);
                mma_slip_start(&outgoing, outbox[i].data, outbox[i].length);
                break;
            }
        }
    }
}

void mma_link_send(enum mma_frame which, const uint8_t *data, uint32_t length) {
    uint32_t before = mma_arch_lock();
    outbox[which].data = data;
    outbox[which].length = (uint16_t)length;
    waiting |= (uint8_t)(1u << which);
    mma_chip_uart_send();
    mma_arch_unlock(before);
}

bool mma_link_sending(enum mma_frame which) { return (sending | waiting) >> which & 1; }

bool mma_link_quiet(void) { return !sending && !waiting && mma_chip_uart_drained(); }

uint32_t mma_link_seal(uint8_t *data, uint32_t length) {
    uint16_t fcs = (uint16_t)~mma_fcs16(MMA_FCS_START, data, length);
    data[length] = (uint8_t)fcs;
    data[length + 1] = (uint8_t)(fcs >> 8);
    return length + 2;
}

static void take_frame(uint32_t length) {
    const uint8_t *frame = mma_link_buffer;
    if (frame[0] != MMA_MARK_COAP) {
        return;
    }
    if (length < 3 || mma_fcs16(MMA_FCS_START, frame, length) != MMA_FCS_GOOD) {
        mma_link_counts.bad_fcs++;
        return;
    }
    mma_link_counts.frames_in++;
    mma_server_frame(frame + 1, length - 3, mma_get32(frame + length - 4) >> 16);
}

bool mma_link_poll(void) {
    // A request's answer goes where the last answer is: wait until that is on its way.
    while (ring_out != ring_in && !mma_link_sending(MMA_FRAME_REPLY)) {
        int length = mma_slip_put(&incoming, ring[ring_out & (MMA_RECEIVE - 1)]);
        ring_out++;
        if (left && (uint16_t)(ring_in - ring_out) < MMA_RECEIVE / 2) {
            left = false;
            mma_chip_uart_receive();
        }
        if (length < 0) {
            mma_link_counts.bad_frames++;
        } else if (length > 0) {
            take_frame((uint32_t)length);
            return true;
        }
    }
    return false;
}
