// The way in and out of an executor on the gateway's own CPU, where only tests of the compiler run it.

typedef __UINT32_TYPE__ u32;
typedef __UINT64_TYPE__ u64;

u64 (*mma_host)(u32 number, u64 a, u64 b, u64 c);
u32 mma_status;
u64 mma_outside;  // the caller's stack pointer

// u32 mma_enter(void (*function)(u64 *values), u64 *values, void *stack): 0, or what mma_leave was given.
__asm__(".globl mma_enter\n"
        "mma_enter:\n"
        "  pushq %rbx\n  pushq %rbp\n  pushq %r12\n  pushq %r13\n  pushq %r14\n  pushq %r15\n"
        "  movq %rsp, mma_outside\n"
        "  movq %rdx, %rsp\n"
        "  movq %rdi, %rax\n"
        "  movq %rsi, %rdi\n"
        "  call *%rax\n"
        "  xorl %edi, %edi\n"
        ".globl mma_leave\n"
        "mma_leave:\n"
        "  movl %edi, %eax\n"
        "  movq mma_outside, %rsp\n"
        "  popq %r15\n  popq %r14\n  popq %r13\n  popq %r12\n  popq %rbp\n  popq %rbx\n"
        "  ret\n");
