// The resources of the device itself: /.well-known/core, /d, /s, /k, /reset. docs/link.md has them all.
#include "arch/arch.h"
#include "boards/board.h"
#include "chips/chip.h"
#include "kernel/auth.h"
#include "kernel/bytes.h"
#include "kernel/executor.h"
#include "kernel/kept.h"
#include "kernel/link.h"
#include "kernel/pins.h"
#include "kernel/server.h"

static uint8_t refusal(int error) {
    switch (error) {
    case MMA_ERR_DENIED:
        return MMA_CODE_FORBIDDEN;
    case MMA_ERR_NOENT:
        return MMA_CODE_NOT_FOUND;
    case MMA_ERR_NOROOM:
        return MMA_CODE_TOO_LARGE;
    case MMA_ERR_STATE:
    case MMA_ERR_DIGEST:
        return MMA_CODE_CONFLICT;
    case MMA_ERR_BUSY:
        return MMA_CODE_UNAVAILABLE;
    case MMA_ERR_UNSUPPORTED:
        return MMA_CODE_NOT_ALLOWED;
    default:
        return MMA_CODE_BAD_REQUEST;
    }
}

void mma_refuse(struct mma_reply *reply, int error, uint32_t missing, uint32_t largest) {
    reply->code = refusal(error);
    reply->format = MMA_FORMAT_CBOR;
    reply->out.from = 0;
    reply->out.total = 0;
    bool room = error == MMA_ERR_NOROOM;
    mma_cbor_head(&reply->out, MMA_CBOR_MAP, room ? 3 : 1);
    mma_cbor_head(&reply->out, MMA_CBOR_UINT, 0);
    mma_cbor_int(&reply->out, error);
    if (room) {
        mma_cbor_pair(&reply->out, 1, missing);
        mma_cbor_pair(&reply->out, 2, largest);
    }
}

static void get_links(struct mma_reply *reply) {
    reply->format = MMA_FORMAT_LINKS;
    mma_out_text(&reply->out, "</d>;ct=60;rt=\"mma.d\",</s>;ct=60;obs,</x>;ct=60;rt=\"mma.x\",</k>;ct=60,</reset>");
    for (uint32_t i = 0; i < MMA_SLOTS; i++) {
        if (mma_executors[i].state != MMA_FREE) {
            char link[] = ",</x/0>;ct=60";
            link[5] = (char)('0' + i);
            mma_out_text(&reply->out, link);
        }
    }
}

static void get_device(struct mma_reply *reply) {
    struct mma_out *out = &reply->out;
    int32_t slot;
    const struct mma_crash *crash = mma_kept_crash(&slot);
    uint32_t largest, free = mma_arena_free(&largest);
    uint8_t key[MMA_KEY_ID];
    reply->format = MMA_FORMAT_CBOR;
    mma_cbor_head(out, MMA_CBOR_MAP, crash ? 20 : 19);
    mma_cbor_pair(out, 0, MMA_LINK_VERSION);
    mma_cbor_head(out, MMA_CBOR_UINT, 1);
    mma_cbor_text(out, MMA_BOARD);
    mma_cbor_head(out, MMA_CBOR_UINT, 2);
    mma_cbor_text(out, MMA_VERSION);
    mma_cbor_pair(out, 3, mma_boot_id());
    mma_cbor_pair(out, 4, mma_kept_cause());
    mma_cbor_pair(out, 5, mma_arena.low);
    mma_cbor_pair(out, 6, mma_arena.high - mma_arena.low);
    mma_cbor_pair(out, 7, free);
    mma_cbor_pair(out, 8, largest);
    mma_cbor_pair(out, 9, MMA_BLOCK);
    mma_cbor_pair(out, 10, MMA_SLOTS);
    mma_cbor_pair(out, 11, mma_board_pin_count);
    mma_cbor_head(out, MMA_CBOR_UINT, 12);
    uint32_t sensors = mma_sensor_count();
    mma_cbor_head(out, MMA_CBOR_ARRAY, sensors);
    for (uint32_t i = 0; i < sensors; i++) {
        mma_cbor_text(out, mma_board_sensors[i].name);
    }
    mma_cbor_head(out, MMA_CBOR_UINT, 13);
    mma_cbor_text(out, mma_arch_isolation());
    mma_cbor_pair(out, 14, mma_chip_core_hz());
    mma_cbor_pair(out, 15, MMA_ALIGN);
    mma_key_id(key);
    mma_cbor_head(out, MMA_CBOR_UINT, 17);
    mma_cbor_bytes(out, key, MMA_KEY_ID);
    mma_cbor_pair(out, 18, mma_proof_counter());
    uint32_t words[MMA_UNIQUE_WORDS];
    uint32_t count = mma_chip_unique_id(words);
    mma_cbor_head(out, MMA_CBOR_UINT, 19);
    mma_cbor_bytes(out, words, count * sizeof words[0]);
    if (crash) {
        mma_cbor_head(out, MMA_CBOR_UINT, 16);
        mma_cbor_head(out, MMA_CBOR_MAP, 6);
        mma_cbor_pair(out, 0, crash->cause);
        mma_cbor_pair(out, 1, crash->pc);
        mma_cbor_pair(out, 2, crash->lr);
        mma_cbor_pair(out, 3, crash->status);
        mma_cbor_pair(out, 4, crash->address);
        mma_cbor_head(out, MMA_CBOR_UINT, 5);
        mma_cbor_int(out, slot);
    }
}

void mma_resource_state(struct mma_out *out) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < MMA_SLOTS; i++) {
        count += mma_executors[i].state != MMA_FREE;
    }
    mma_cbor_head(out, MMA_CBOR_ARRAY, 1 + count);
    mma_cbor_head(out, MMA_CBOR_UINT, mma_boot_id());
    for (uint32_t i = 0; i < MMA_SLOTS; i++) {
        const struct mma_executor *executor = &mma_executors[i];
        if (executor->state != MMA_FREE) {
            mma_cbor_head(out, MMA_CBOR_ARRAY, 5);
            mma_cbor_head(out, MMA_CBOR_UINT, i);
            mma_cbor_head(out, MMA_CBOR_UINT, executor->state);
            mma_cbor_head(out, MMA_CBOR_UINT, executor->cause);
            mma_cbor_head(out, MMA_CBOR_UINT, executor->log.end);
            mma_cbor_head(out, MMA_CBOR_UINT, executor->generation);
        }
    }
}

static void get_state(const struct mma_coap *request, struct mma_reply *reply) {
    reply->format = MMA_FORMAT_CBOR;
    mma_resource_state(&reply->out);
    if (request->observes) {
        reply->observed = request->observe == 0;
        mma_server_observe(request, reply->observed);
    }
}

static void get_counters(struct mma_reply *reply) {
    struct mma_out *out = &reply->out;
    reply->format = MMA_FORMAT_CBOR;
    mma_cbor_head(out, MMA_CBOR_MAP, 12);
    mma_cbor_pair(out, 0, mma_link_counts.frames_in);
    mma_cbor_pair(out, 1, mma_link_counts.bad_fcs);
    mma_cbor_pair(out, 2, mma_link_counts.bad_frames);
    mma_cbor_pair(out, 3, mma_link_counts.frames_out);
    mma_cbor_pair(out, 4, mma_server_counts.again);
    mma_cbor_pair(out, 5, mma_server_counts.repeated);
    mma_cbor_pair(out, 6, mma_usage.switches);
    mma_cbor_head(out, MMA_CBOR_UINT, 7);
    mma_cbor_uint64(out, mma_usage.idle);
    mma_cbor_head(out, MMA_CBOR_UINT, 8);
    mma_cbor_uint64(out, mma_time());
    mma_cbor_pair(out, 9, mma_link_counts.lost_bytes);
    mma_cbor_pair(out, 10, mma_stack_used());
    mma_cbor_head(out, MMA_CBOR_UINT, 11);
    mma_cbor_uint64(out, mma_microseconds(mma_usage.cycles));
}

void mma_resource(const struct mma_coap *request, struct mma_reply *reply) {
    const struct mma_view *path = request->path;
    if (request->depth && mma_view_is(&path[0], "x")) {
        if (request->depth == 1) {
            mma_resource_executors(request, reply);
        } else {
            mma_resource_executor(request, reply);
        }
        return;
    }
    bool get = request->code == MMA_CODE_GET;
    int error = MMA_ERR_NOENT;
    if (request->depth == 2 && mma_view_is(&path[0], ".well-known") && mma_view_is(&path[1], "core")) {
        error = get ? 0 : MMA_ERR_UNSUPPORTED;
        get_links(reply);
    } else if (request->depth == 1) {
        if (mma_view_is(&path[0], "d")) {
            error = get ? 0 : MMA_ERR_UNSUPPORTED;
            get_device(reply);
        } else if (mma_view_is(&path[0], "s")) {
            error = get ? 0 : MMA_ERR_UNSUPPORTED;
            if (get) {
                get_state(request, reply);
            }
        } else if (mma_view_is(&path[0], "k")) {
            error = get ? 0 : MMA_ERR_UNSUPPORTED;
            get_counters(reply);
        } else if (mma_view_is(&path[0], "reset")) {
            error = request->code == MMA_CODE_POST ? 0 : MMA_ERR_UNSUPPORTED;
            if (!error) {
                reply->code = MMA_CODE_CHANGED;
                mma_server_restart();
            }
        }
    }
    if (error) {
        mma_refuse(reply, error, 0, 0);
    }
}
