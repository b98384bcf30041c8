// Physical memory protection: what user mode may do (Privileged Architecture 1.10, section 3.6). Regions in "top of
// range" mode reach from the bound before to their own, so a slot takes three registers and is admitted to the word.
// Machine mode, the kernel, is not restricted; user mode has no access to what no region covers.
#include "arch/arch.h"
#include "riscv.h"

enum { READ = 1, WRITE = 2, EXECUTE = 4, TOP_OF_RANGE = 1 << 3 };

bool mma_arch_plan(struct mma_protection *protection, const struct mma_run *code, const struct mma_run *data,
                   uint32_t slack) {
    (void)slack;
    protection->bound[0] = code->low >> 2;
    protection->bound[1] = code->high >> 2;
    protection->bound[2] = data->high >> 2;
    return data->low == code->high && ((code->low | code->high | data->high) & 3) == 0;
}

void mma_arch_protect(const struct mma_protection *protection) {
    MMA_CSR_WRITE("pmpcfg1", 0);
    MMA_CSR_WRITE("pmpaddr0", protection->bound[0]);
    MMA_CSR_WRITE("pmpaddr1", protection->bound[1]);
    MMA_CSR_WRITE("pmpaddr2", protection->bound[2]);
    MMA_CSR_WRITE("pmpcfg0", (TOP_OF_RANGE | READ | EXECUTE) << 8 | (TOP_OF_RANGE | READ | WRITE) << 16);
}
