// Messages (RFC 7252 section 4), repeated requests, blocks of answers (RFC 7959), and one observer (RFC 7641).
#include "kernel/server.h"

#include "arch/arch.h"
#include "chips/chip.h"
#include "kernel/auth.h"
#include "kernel/bytes.h"
#include "kernel/kept.h"
#include "kernel/link.h"
#include "sdk/abi.h"

#define ACK_TIMEOUT 300000u // microseconds; doubles with every try
#define MAX_RETRANSMIT 6

struct mma_server_counts mma_server_counts;

// The answer to the last confirmable request that may have changed something: that must not be done twice (section
// 4.5). All such answers are short. GET is done again; what isn't confirmable never comes again by itself.
#define SHORT 64
static struct {
    uint32_t fcs;
    uint16_t id;
    uint16_t length; // 0: nothing is remembered
    uint8_t bytes[SHORT];
} answered;

static uint8_t notice_bytes[1 + 4 + MMA_TOKEN + 4 + 2 + 1 + 6 + 12 * MMA_SLOTS + 2];
static struct {
    uint64_t due; // when the outstanding notification is sent again
    uint32_t sequence;
    uint16_t length;
    uint16_t id;
    uint8_t token[MMA_TOKEN];
    uint8_t token_length;
    uint8_t tries; // of the outstanding notification; 0: none is outstanding
    bool present;
    bool changed;
} observer;

static uint16_t own_id;
static bool restarting;

uint32_t mma_boot_id(void) {
    // Drawn when somebody first asks: by then the moment of asking has added its own chance, which matters on an
    // emulator, where everything before is the same in every run.
    static uint32_t id;
    while (!id) {
        uint32_t seed = mma_cycles() ^ mma_chip_entropy() ^ mma_kept_boots() << 24 ^ (uint32_t)mma_time();
        seed ^= seed >> 16; // mixes as MurmurHash3's finaliser does
        seed *= 0x85EBCA6B;
        seed ^= seed >> 13;
        seed *= 0xC2B2AE35;
        seed ^= seed >> 16;
        id = seed >> 1;
    }
    return id;
}

static uint16_t next_id(void) {
    if (!own_id) {
        own_id = (uint16_t)mma_boot_id();
    }
    return ++own_id;
}

// Send a head, and the payload that lies at MMA_ANSWER. Gives the frame and its length.
static const uint8_t *send_answer(const struct mma_head *head, uint32_t payload, uint32_t *length) {
    uint8_t *frame = mma_link_buffer + MMA_ANSWER - head->length - 1;
    frame[0] = MMA_MARK_COAP;
    memcpy(frame + 1, head->bytes, head->length);
    *length = mma_link_seal(frame, 1u + head->length + payload);
    mma_link_send(MMA_FRAME_REPLY, frame, *length);
    return frame;
}

static void send_reset(uint16_t id) {
    struct mma_head head;
    uint32_t length;
    mma_head_start(&head, MMA_COAP_RST, MMA_CODE_EMPTY, id, head.bytes, 0);
    (void)send_answer(&head, 0, &length);
}

void mma_server_text(const char *text, uint32_t length) {
    length = mma_min(length, MMA_BLOCK);
    mma_link_buffer[0] = MMA_MARK_TEXT;
    memcpy(mma_link_buffer + 1, text, length);
    mma_link_send(MMA_FRAME_REPLY, mma_link_buffer, 1 + length);
}

// Put the head before an answer's payload and send it. Not inlined: the head isn't on the stack while a resource
// works.
__attribute__((noinline)) static void finish(const struct mma_coap *request, const struct mma_reply *reply,
                                             struct mma_block *block, uint32_t fcs) {
    uint32_t from = reply->out.from, total = reply->out.total, length;
    uint32_t payload = total > from ? mma_min(total - from, reply->out.room) : 0;
    bool confirmable = request->type == MMA_COAP_CON;
    struct mma_head head;
    mma_head_start(&head, confirmable ? MMA_COAP_ACK : MMA_COAP_NON, reply->code, confirmable ? request->id : next_id(),
                   request->token, request->token_length);
    if (reply->observed && reply->code == MMA_CODE_CONTENT) {
        mma_head_number(&head, MMA_OPTION_OBSERVE, observer.sequence);
    }
    if (reply->code == MMA_CODE_CREATED) {
        mma_head_option(&head, MMA_OPTION_LOCATION, "x", 1);
        mma_head_option(&head, MMA_OPTION_LOCATION, &reply->created, 1);
    }
    if (payload && reply->format != MMA_FORMAT_NONE) {
        mma_head_number(&head, MMA_OPTION_FORMAT, reply->format);
    }
    block->more = total > from + payload;
    if (payload && reply->code == MMA_CODE_CONTENT && (block->more || request->block2.given)) {
        mma_head_block(&head, MMA_OPTION_BLOCK2, block);
    }
    if (reply->acknowledges) {
        mma_head_block(&head, MMA_OPTION_BLOCK1, &request->block1);
    }
    if (payload) {
        mma_head_payload(&head);
    }
    const uint8_t *frame = send_answer(&head, payload, &length);
    if (request->code != MMA_CODE_GET && confirmable) {
        length = length <= SHORT ? length : 0;
        memcpy(answered.bytes, frame, length);
        answered.length = (uint16_t)length;
        answered.id = request->id;
        answered.fcs = fcs;
    }
}

// Only who has the device's key may create, start, kill, delete and restart. Looking is free, and so are the blocks
// of an image: they are nothing until a start names their digest.
static bool changes(const struct mma_coap *request) {
    return request->code != MMA_CODE_GET && request->code != MMA_CODE_PUT;
}

// The request's views end with its handler: the answer is written over it.
static void answer(const struct mma_coap *request, uint32_t fcs) {
    struct mma_block block = request->block2;
    uint32_t most = (uint32_t)__builtin_ctz(MMA_BLOCK) - 4;
    if (!block.given || block.size > most) {
        block.number = block.given ? block.number << (block.size - most) : 0;
        block.size = (uint8_t)most;
    }
    uint8_t *to = mma_link_buffer + MMA_ANSWER;
    struct mma_reply reply = {
        .out = {.to = to, .from = block.number << (block.size + 4), .room = 16u << block.size},
        .code = MMA_CODE_CONTENT,
        .format = MMA_FORMAT_NONE,
    };
    if (request->unknown) {
        mma_refuse(&reply, MMA_ERR_UNSUPPORTED, 0, 0);
        reply.code = MMA_CODE_BAD_OPTION;
    } else if (changes(request) && !mma_proven(request)) {
        mma_refuse(&reply, MMA_ERR_DENIED, 0, 0);
        reply.code = MMA_CODE_UNAUTHORIZED;
    } else {
        mma_resource(request, &reply);
    }
    if (request->accepts && reply.code == MMA_CODE_CONTENT && request->accept != reply.format) {
        reply.out.total = 0;
        reply.code = MMA_CODE_NOT_ACCEPTABLE;
    } else if (reply.out.from && reply.out.from >= reply.out.total) {
        reply.out.total = 0;
        reply.code = reply.code < MMA_CODE_BAD_REQUEST ? MMA_CODE_BAD_OPTION : reply.code;
    }
    finish(request, &reply, &block, fcs);
}

// -- the observer -----------------------------------------------------------------------------------------------

void mma_server_changed(void) {
    if (!observer.changed) {
        observer.changed = true;
        mma_arch_wake(); // or the kernel would idle on, and tell only at its next interrupt
    }
}

void mma_server_observe(const struct mma_coap *request, bool wanted) {
    observer.tries = 0;
    observer.present = wanted;
    observer.changed = false;
    observer.sequence = (observer.sequence + 1) & 0xFFFFFF;
    observer.token_length = request->token_length;
    memcpy(observer.token, request->token, MMA_TOKEN);
}

// It acknowledged, or refused, a message of ours.
static void acknowledged(const struct mma_coap *message) {
    if (!observer.tries || message->id != observer.id) {
        return;
    }
    observer.tries = 0;
    if (message->type == MMA_COAP_RST) {
        observer.present = false;
    }
}

static void send_notice(uint64_t now) {
    mma_link_send(MMA_FRAME_NOTICE, notice_bytes, observer.length);
    observer.due = now + ((uint64_t)ACK_TIMEOUT << observer.tries);
    observer.tries++;
}

__attribute__((noinline)) static void build_notice(void) { // so that its head isn't on the stack always
    struct mma_head head;
    observer.id = next_id();
    observer.sequence = (observer.sequence + 1) & 0xFFFFFF;
    mma_head_start(&head, MMA_COAP_CON, MMA_CODE_CONTENT, observer.id, observer.token, observer.token_length);
    mma_head_number(&head, MMA_OPTION_OBSERVE, observer.sequence);
    mma_head_number(&head, MMA_OPTION_FORMAT, MMA_FORMAT_CBOR);
    mma_head_payload(&head);
    notice_bytes[0] = MMA_MARK_COAP;
    memcpy(notice_bytes + 1, head.bytes, head.length);
    uint32_t used = 1u + head.length;
    struct mma_out out = {.to = notice_bytes + used, .room = sizeof notice_bytes - 2 - used};
    mma_resource_state(&out);
    observer.changed = false;
    observer.length = (uint16_t)mma_link_seal(notice_bytes, used + out.total);
}

static uint64_t poll_observer(uint64_t now) {
    if (!observer.present || mma_link_sending(MMA_FRAME_NOTICE)) {
        return UINT64_MAX; // the line wakes the kernel when it has sent it
    }
    if (observer.tries) {
        if (now < observer.due) {
            return observer.due;
        }
        if (observer.tries > MAX_RETRANSMIT) {
            observer.tries = 0;
            observer.present = false;
            return UINT64_MAX;
        }
        mma_server_counts.again++;
        send_notice(now);
        return observer.due;
    }
    if (observer.changed) {
        build_notice();
        send_notice(now);
        return observer.due;
    }
    return UINT64_MAX;
}

// -- messages ---------------------------------------------------------------------------------------------------

void mma_server_frame(const uint8_t *message, uint32_t length, uint32_t fcs) {
    struct mma_coap request;
    bool sound = mma_coap_parse(message, length, &request);
    if (sound && (request.type == MMA_COAP_ACK || request.type == MMA_COAP_RST)) {
        acknowledged(&request);
        return;
    }
    if (!sound || request.code == MMA_CODE_EMPTY || request.code >= 32) {
        // Malformed, a ping, or a response to a question that we never asked: all get a reset (section 4.2).
        if (length >= 4 && message[0] >> 6 == 1 && request.type == MMA_COAP_CON) {
            send_reset(request.id);
        }
        return;
    }
    if (answered.length && answered.id == request.id && answered.fcs == fcs) {
        mma_server_counts.repeated++;
        mma_link_send(MMA_FRAME_REPLY, answered.bytes, answered.length);
        return;
    }
    answer(&request, fcs);
}

void mma_server_restart(void) { restarting = true; }

uint64_t mma_server_poll(uint64_t now) {
    while (mma_link_poll()) {
    }
    if (restarting) {
        if (mma_link_quiet()) {
            mma_kept_restart();
        }
        return now + 1000;
    }
    return poll_observer(now);
}
