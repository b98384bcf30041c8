// A plugin of QEMU's TCG: how often each instruction of the guest ran, in a file that is mapped and may be read at
// any time. QEMU's docs/devel/tcg-plugins.rst; the calls are declared here, since Debian ships no header for them.
//
// The file: SLOTS pairs of u64, an instruction's address + 1 (0: none yet) and its count. What finds no slot is
// counted in slot 0, which no address has.
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SLOTS (1u << 16)
#define PROBES 64

struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef uint64_t qemu_plugin_id_t;
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
                                           void (*cb)(qemu_plugin_id_t id, struct qemu_plugin_tb *tb));
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, void (*cb)(unsigned, void *), int flags,
                                            void *data);
// Until QEMU 9.0: adds to a word without a call.
__attribute__((weak)) void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *insn, int op,
                                                                      void *word, uint64_t amount);

__attribute__((visibility("default"))) int qemu_plugin_version = MMA_PLUGIN_VERSION;

struct slot {
    uint64_t key, count;
};
static struct slot *slots;

static struct slot *slot_of(uint64_t address) {
    uint32_t at = (uint32_t)(address * 0x9E3779B97F4A7C15u >> 48);
    for (uint32_t i = 0; i < PROBES; i++, at++) {
        struct slot *slot = &slots[1 + at % (SLOTS - 1)];
        if (slot->key == 0) {
            slot->key = address + 1;
        }
        if (slot->key == address + 1) {
            return slot;
        }
    }
    return slots;
}

static void count(unsigned cpu, void *slot) {
    (void)cpu;
    ((struct slot *)slot)->count++;
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb) {
    (void)id;
    size_t n = qemu_plugin_tb_n_insns(tb);
    for (size_t i = 0; i < n; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        struct slot *slot = slot_of(qemu_plugin_insn_vaddr(insn));
        if (qemu_plugin_register_vcpu_insn_exec_inline) {
            qemu_plugin_register_vcpu_insn_exec_inline(insn, 0, &slot->count, 1);
        } else {
            qemu_plugin_register_vcpu_insn_exec_cb(insn, count, 0, slot);
        }
    }
}

__attribute__((visibility("default"))) int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc,
                                                               char **argv) {
    (void)info;
    if (argc != 1 || strncmp(argv[0], "out=", 4)) {
        return 1;
    }
    int file = open(argv[0] + 4, O_RDWR | O_CREAT, 0600);
    size_t size = SLOTS * sizeof(struct slot);
    if (file < 0 || ftruncate(file, (off_t)size)) {
        return 1;
    }
    slots = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (slots == MAP_FAILED) {
        return 1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    return 0;
}
